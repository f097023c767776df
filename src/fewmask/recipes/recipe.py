"""The recipe: everything needed to repeat a run."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SerializeAsAny, field_validator

from fewmask.config import BaseConfig, find_class, validate
from fewmask.data import SOURCES, DataSource, LoaderConfig
from fewmask.engine.settings import MachineConfig, TrainingConfig
from fewmask.engine.sinks.choosing import LoggingConfig
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.methods import METHODS, Method
from fewmask.models import ModelConfig

FIRST_LINE = "# The complete recipe of a run, down to the line '# end'."
LAST_LINE = "# end"
"""Between them, a file that was cut off would be valid, and defaults would replace what it lost."""


class Recipe(BaseConfig):
    """All settings of a run. `recipe.yaml` in a run folder is a recipe, and valid input."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Random seed for weights, batches and augmentation; data sources have their own seeds."""
    # The options of the source are those of a subclass; without SerializeAsAny they are not saved.
    data: SerializeAsAny[DataSource.Config]
    """Where the images come from: a data source by name, and its options."""
    loader: LoaderConfig = LoaderConfig()
    """Crop, scale and batch sizes."""
    model: ModelConfig = ModelConfig()
    """Encoder, decoder, head."""
    method: SerializeAsAny[Method.Config]
    """The training algorithm by name, and its options."""
    training: TrainingConfig = TrainingConfig()
    """Steps, optimizer, schedule, precision."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How the networks are scored."""
    logging: LoggingConfig = LoggingConfig()
    """Where results are logged."""
    machine: MachineConfig = MachineConfig()
    """Devices and processes. Nothing here changes a result."""

    @field_validator("data", "method", mode="before")
    @classmethod
    def _with_own_options(cls, values: Any, info: Any) -> Any:
        """Validates the options of a source or a method with the class that its name stands for."""
        if not isinstance(values, dict):
            return values
        if "name" not in values:
            raise ValueError("it has no name. Say which one, such as method=imas, data=FOLDER")
        name = str(values["name"])
        owner = _source_class(name) if info.field_name == "data" else method_class(name)
        return validate(owner.Config, values, info.field_name)

    @property
    def method_class(self) -> type[Method]:
        """The class of the method."""
        return method_class(self.method.name)

    @property
    def needs_unlabeled(self) -> bool:
        """Whether the method trains on unlabeled images."""
        return self.method_class.views is not None

    def source(self) -> DataSource:
        """The data source, ready to open."""
        return _source_class(self.data.name)(self.data)

    def to_yaml(self) -> str:
        """The recipe as text that `load_recipe` reads back to an equal recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def to_run_yaml(self) -> str:
        """The same text as a run keeps it: `require_whole` notices if a part is missing."""
        return f"{FIRST_LINE}\n{self.to_yaml()}{LAST_LINE}\n"


def require_whole(file: Path) -> None:
    """Refuses the recipe of a run that has lost its end. Other recipes may be as short as they are.

    Raises:
        UserError: for such a file.
    """
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    if FIRST_LINE in lines and LAST_LINE not in lines:
        raise UserError(
            f"{file} is not complete: it is the recipe of a run, and its end is missing. Restore "
            f"it. If you shortened it on purpose, remove the line {FIRST_LINE!r}."
        )


# mypy refuses abstract classes as arguments, although only their subclasses are created here.
def _source_class(name: str) -> type[DataSource]:
    return find_class(name, SOURCES, "data", DataSource)  # type: ignore[type-abstract]


def method_class(name: str) -> type[Method]:
    """The class that a method's name stands for.

    Raises:
        UserError: if there is no such method.
    """
    return find_class(name, METHODS, "method", Method)  # type: ignore[type-abstract]
