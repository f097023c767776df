"""Which sinks a run writes to."""

from typing import Any

from pydantic import field_validator

from fewmask.config import BaseConfig, find_class, validate
from fewmask.engine.sinks import SINKS
from fewmask.engine.sinks.csv_tables import CsvTables
from fewmask.engine.sinks.jsonl_metrics import JsonlMetrics
from fewmask.engine.sinks.sink import Sink
from fewmask.engine.sinks.text_log import TextLog
from fewmask.errors import UserError

RUN_FOLDER_SINKS = (CsvTables, JsonlMetrics, TextLog)
"""Reports and resumed runs read the files of these sinks, so every run writes them."""


class LoggingConfig(BaseConfig):
    """Where results are logged."""

    sinks: tuple[str | dict[str, Any], ...] = ()
    """Where results go in addition to the CSV and JSONL files of the run folder: tensorboard, or
    your own package.module:Class. Write a sink that has options as {name: SINK, OPTION: VALUE}."""

    @field_validator("sinks", mode="before")
    @classmethod
    def _one_is_enough(cls, value: Any) -> Any:
        """Accepts `logging.sinks=tensorboard` without brackets."""
        return (value,) if isinstance(value, (str, dict)) else value

    @field_validator("sinks")
    @classmethod
    def _names_and_options_exist(
        cls, entries: tuple[str | dict[str, Any], ...]
    ) -> tuple[str | dict[str, Any], ...]:
        """Refuses unknown sinks and options; whether packages are installed shows at creation."""
        for entry in entries:
            _class_and_config(entry)
        return entries


def create_sinks(config: LoggingConfig) -> list[Sink]:
    """Creates the sinks of a run; none of them writes before it is opened.

    Args:
        config: names the sinks that are written in addition to the files of the run folder.

    Raises:
        UserError: if a sink lacks a package.
    """
    own = [kind(Sink.Config(name=kind.__name__)) for kind in RUN_FOLDER_SINKS]
    chosen = [_class_and_config(entry) for entry in config.sinks]
    return [*own, *(kind(options) for kind, options in chosen)]


def _class_and_config(entry: str | dict[str, Any]) -> tuple[type[Sink], Sink.Config]:
    """The class of a sink and its validated options."""
    options = {"name": entry} if isinstance(entry, str) else entry
    name = options.get("name")
    if not isinstance(name, str):
        raise UserError(
            f"logging.sinks={entry!r}: the sink has no name. Write it as "
            "{name: package.module:Class, OPTION: VALUE}."
        )
    kind = find_class(name, SINKS, "sink", Sink, option="logging.sinks")
    return kind, validate(kind.Config, options, f"logging.sinks.{name}")
