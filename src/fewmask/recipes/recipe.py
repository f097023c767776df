"""Recipe: all that repeats a run, made of defaults, a recipe file and the command line."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SerializeAsAny

from fewmask.config import (
    BaseConfig,
    did_you_mean,
    find,
    merge,
    parse_overrides,
    read_yaml,
    validate,
)
from fewmask.data import SOURCES, DataSource, LoaderConfig
from fewmask.data.sources.folder import folder_values
from fewmask.engine.settings import MachineConfig, TrainingConfig
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.methods import METHODS, Method
from fewmask.models import ModelConfig


class Recipe(BaseConfig):
    """All settings of a run; the file `recipe.yaml` in a run folder is one, and valid input."""

    seed: int = Field(default=0, ge=0)
    """Draws weights, batches and views; data sources have their own seeds."""
    data: SerializeAsAny[DataSource.Config]
    """Which images: a source by name, and its options."""
    loader: LoaderConfig = LoaderConfig()
    """Crop, scale and batch sizes."""
    model: ModelConfig = ModelConfig()
    """Encoder, decoder, head."""
    method: SerializeAsAny[Method.Config]
    """The algorithm, and its options."""
    training: TrainingConfig = TrainingConfig()
    """Steps, optimizer, schedule, precision."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How the networks are scored."""
    machine: MachineConfig = MachineConfig()
    """Where it runs; changes no result."""

    def source(self) -> DataSource:
        """The data source, ready to open."""
        source: DataSource = find(self.data.name, SOURCES, "data")(self.data)
        return source

    def to_yaml(self) -> str:
        """The recipe as text that `load_recipe` reads back to an equal recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class PublishedScore(BaseConfig):
    """One number that a recipe is to be compared with: mIoU on val, in percent."""

    labeled: str
    """The labeled list, by its published name."""
    encoder: str = "resnet101s"
    """The encoder it was measured with."""
    miou: float
    """The best evaluation on val, unless the source says otherwise: selected on val."""
    source: str
    """Who states it."""


def load_recipe(base: str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Composes a recipe: defaults < recipe file < overrides.

    A recipe file may hold `methods`, the options of several methods by name; those of the chosen
    method count.

    Args:
        base: the name of a shipped recipe, a YAML file, or None for the defaults.
        overrides: `key=value` words, such as `method.threshold=0.9` or `data=camvid`.

    Raises:
        UserError: for an unknown recipe, key or value.

    Example:
        load_recipe("synthetic", ["method=imas", "training.steps=200"])
    """
    given = parse_overrides(overrides, sections=("data", "method"))
    values = merge(_read_base(base), _expand(given))
    values.pop("published", None)
    for section, options in values.items():
        if section != "seed" and not isinstance(options, dict):
            raise UserError(
                f"{section}={options!r}: expected options, such as {section}.KEY=VALUE."
            )
    _choose_length(values.get("training", {}), given.get("training", {}))
    options_by_method = values.pop("methods", {})
    for name in options_by_method:
        if name not in METHODS and ":" not in name:
            raise UserError(f"methods.{name}: unknown method. {did_you_mean(name, METHODS)}")
    unknown = [key for key in values if key not in Recipe.model_fields]
    if unknown:
        raise UserError(
            f"{unknown[0]}: unknown option. {did_you_mean(unknown[0], Recipe.model_fields)}"
        )
    if "name" not in values.get("data", {}):
        raise UserError(
            "Which images? Give data=FOLDER, data=FILE.yaml, or a source by name, such as "
            "data=synthetic."
        )
    chosen = values.setdefault("method", {}).setdefault("name", "imas")
    values["method"] = merge(options_by_method.get(chosen, {}), values["method"])
    for section, known in (("data", SOURCES), ("method", METHODS)):
        plugin = find(str(values[section]["name"]), known, section)
        values[section] = validate(plugin.Config, values[section], section)
    return validate(Recipe, values)


def _choose_length(training: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Steps given on the command line replace a recipe's epochs."""
    if "steps" in given and "epochs" not in given:
        training.pop("epochs", None)


def split_words(words: Sequence[str | Path]) -> tuple[str | Path | None, list[str]]:
    """A first word without `=` is the recipe, the others are options."""
    if words and "=" not in str(words[0]):
        return words[0], [str(word) for word in words[1:]]
    return None, [str(word) for word in words]


def recipe_names() -> list[str]:
    """The recipes in the package: `synthetic`, `voc/imas` ..."""
    folder = Path(str(resources.files("fewmask.recipes")))
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in folder.rglob("*.yaml"))


def published_scores(name: str) -> list[PublishedScore]:
    """What was published for a shipped recipe, list by list; empty if nothing was."""
    rows = _read_base(name).get("published", [])
    return [validate(PublishedScore, row, f"{name}: published") for row in rows]


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe.

    Raises:
        UserError: if there is none of this name.
    """
    if name not in recipe_names():
        raise UserError(
            f"'{name}' is no recipe. {did_you_mean(name, recipe_names())} Or give a YAML file; "
            "options are written key=value."
        )
    return (resources.files("fewmask.recipes") / f"{name}.yaml").read_text(encoding="utf-8")


def recipe_title(name: str) -> str:
    """The first sentence of a shipped recipe's comment."""
    first = recipe_text(name).partition("\n")[0]
    return first.lstrip("# ").rstrip(".")


def _read_base(base: str | Path | None) -> dict[str, Any]:
    if base is None:
        return {}
    if Path(base).suffix in (".yaml", ".yml") or Path(base).is_file():
        return _expand(read_yaml(Path(base)))
    values: dict[str, Any] = yaml.safe_load(recipe_text(str(base)))
    return values


def _expand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Reads `data=FOLDER` and `data=FILE.yaml` as what they stand for."""
    data = values.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name in SOURCES or ":" in name:
        return dict(values)
    assert isinstance(data, Mapping)
    path = Path(name)
    if not path.exists():
        raise UserError(
            f"data={name}: no such folder or file, and no source of that name. "
            f"{did_you_mean(name, SOURCES)}"
        )
    return {
        **values,
        "data": merge(folder_values(path), {k: v for k, v in data.items() if k != "name"}),
    }
