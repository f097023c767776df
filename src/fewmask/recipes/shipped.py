"""The recipes in the package, and the published scores to compare them with."""

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

from fewmask.config import BaseConfig, parse_yaml, validate
from fewmask.errors import UserError, did_you_mean
from fewmask.methods import METHODS


class PublishedScore(BaseConfig):
    """A published score to compare a recipe with: mIoU on the validation images, in percent."""

    labeled: str
    """The labeled list, by its published name."""
    encoder: str = "resnet101s"
    """The encoder of the published score."""
    miou: float
    """The best evaluation, selected on the validation images unless the source says otherwise."""
    source: str
    """The publication that reports it."""
    settings: tuple[str, ...] = ()
    """Where its run differs from the recipe, as `model.output_stride=8`; another encoder is left
    out."""


def recipe_names() -> list[str]:
    """The names of all shipped recipes: `synthetic`, `voc/imas` ..."""
    folder = Path(str(resources.files("fewmask.recipes")))
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in folder.rglob("*.yaml"))


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe, comments included.

    Raises:
        UserError: if there is no recipe of this name.
    """
    if name not in recipe_names():
        if Path(os.path.expanduser(name)).is_dir():
            option = shlex.quote(f"data={Path(os.path.expanduser(name))}")
            raise UserError(f"'{name}' is a folder, not a recipe. To use its images: {option}")
        if name.lower() in METHODS:
            raise UserError(f"'{name}' is a method, not a recipe: method={name.lower()}.")
        raise UserError(
            f"There is no recipe '{name}'. {did_you_mean(name, recipe_names())} A recipe can also "
            "be a YAML file; options are written as key=value."
        )
    return (resources.files("fewmask.recipes") / f"{name}.yaml").read_text(encoding="utf-8")


def recipe_title(name: str) -> str:
    """The first sentence of the comment at the top of a shipped recipe."""
    first_line = recipe_text(name).partition("\n")[0]
    return first_line.lstrip("# ").rstrip(".")


def recipe_values(name: str) -> dict[str, Any]:
    """The settings of a shipped recipe."""
    values: dict[str, Any] = parse_yaml(recipe_text(name))
    return values


def published_scores(name: str) -> list[PublishedScore]:
    """The published scores of a shipped recipe; empty if there are none."""
    rows = recipe_values(name).get("published", [])
    return [validate(PublishedScore, row, f"{name}: published") for row in rows]


def training_command(name: str, score: PublishedScore) -> str:
    """The command that repeats a published score.

    Args:
        name: of the shipped recipe.
        score: one of its published ones.

    Example:
        training_command("voc/pcr", published_scores("voc/pcr")[0])
        # fewmask train voc/pcr data.root=VOC data.labeled=voc/u2pl/92
    """
    root = name.partition("/")[0].upper()
    words = [f"data.root={root}", f"data.labeled={score.labeled}"]
    if score.encoder != recipe_values(name)["model"]["encoder"]:
        words.append(f"model.encoder={score.encoder}")
    return " ".join(["fewmask train", name, *words, *score.settings])
