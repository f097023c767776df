"""The recipes in the package, and the published scores to compare them with."""

import os
import shlex
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from fewmask.config import BaseConfig, parse_yaml, validate
from fewmask.data.lists.published import find_published
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


def published_score(
    name: str, lists: Iterable[str], encoder: str, output_stride: int | None
) -> float | None:
    """The published mIoU for a list of labeled images; None if there is none.

    Args:
        name: of a recipe; it may be one that is not shipped.
        lists: the published names of the list, some families share one.
        encoder: of the network.
        output_stride: of the encoder.
    """
    if name not in recipe_names():
        return None
    wanted = {(one, encoder, output_stride) for one in lists}
    scores = published_scores(name)
    found = (s for s in scores if (s.labeled, s.encoder, stride_of(name, s)) in wanted)
    return next((score.miou for score in found), None)


def stride_of(name: str, score: PublishedScore) -> int | None:
    """The output stride of the encoder of a published score; None if it has but one."""
    settings = dict(word.split("=") for word in score.settings)
    usual = recipe_values(name)["model"]["output_stride"]
    return None if usual is None else int(settings.get("model.output_stride", usual))


def list_of(recipe: str | Path | None, wanted: str) -> str:
    """The list of labeled images that a number stands for.

    It is the list of that size among the published scores of a shipped recipe. Other names, and
    numbers of images that have no published score, mean what they mean in `data.labeled`.

    Raises:
        UserError: if there are several.

    Example:
        list_of("voc/imas", "92")  # voc/unimatch/92
    """
    if not wanted.isdecimal() or str(recipe) not in recipe_names():
        return wanted
    scores = published_scores(str(recipe))
    lists = sorted({s.labeled for s in scores if find_published(s.labeled).count == int(wanted)})
    if len(lists) > 1:
        raise UserError(
            f"--lists {wanted}: {recipe} has published scores for {' and '.join(lists)}. Name the "
            "one you mean."
        )
    return lists[0] if lists else wanted
