"""The run folder: what is written into it before training, and where its files stand."""

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fewmask import atomic, version
from fewmask.batch import Dataset
from fewmask.data import Data
from fewmask.data.files import Files
from fewmask.data.lists.published import identify
from fewmask.data.pool.name_index import PoolNames
from fewmask.engine.launch import choose_precision
from fewmask.errors import UserError
from fewmask.recipes.recipe import Recipe


def write_run_files(folder: Path, recipe: Recipe, data: Data) -> None:
    """Writes what repeats a run: the recipe, the environment, the lists and their fingerprints.

    The recipe, which makes a folder a run, is first, and whole whenever it is there.
    """
    atomic.write_text(folder / "recipe.yaml", recipe.to_yaml())
    (folder / "env.json").write_text(json.dumps(environment(), indent=2), encoding="utf-8")
    (folder / "splits").mkdir(exist_ok=True)
    for part in ("labeled", "unlabeled", "val"):
        names: Sequence[str] = getattr(data, part).names
        if isinstance(names, PoolNames):
            names = [f"# {len(names)} images of data.pool, fingerprint in facts.json"]
        (folder / "splits" / f"{part}.txt").write_text(
            "".join(f"{n}\n" for n in names), encoding="utf-8"
        )
    facts = {p: identify(getattr(data, p).names).as_dict() for p in ("labeled", "unlabeled", "val")}
    (folder / "splits" / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def environment() -> dict[str, str]:
    """Versions and devices, for bug reports and for repeating a run."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "fewmask": version.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "timm": metadata.version("timm"),
        "cuda device": cuda,
        "cpu threads": str(torch.get_num_threads()),
        "precision auto": choose_precision("auto", "cuda" if torch.cuda.is_available() else "cpu"),
    }


def require_same_images(folder: Path, data: Data) -> None:
    """A resumed run must go on with the images it began with.

    Raises:
        UserError: if a list has changed since.
    """
    facts = read_facts(folder)
    for part in ("labeled", "unlabeled", "val"):
        if identify(getattr(data, part).names).sha256 != facts[part]["sha256"]:
            raise UserError(
                f"The {part} images of {folder} have changed since it began (its own are in "
                f"splits/{part}.txt there). Restore them, or start a new run."
            )


def read_facts(folder: Path) -> dict[str, dict[str, Any]]:
    """The fingerprints of a run's lists, by part.

    Raises:
        UserError: if they are missing or damaged.
    """
    file = folder / "splits" / "facts.json"
    try:
        facts: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return {part: facts[part] for part in ("labeled", "unlabeled", "val")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"Cannot read {file} ({type(error).__name__} {error}): the run folder is damaged, or "
            "its run never began. Restore the file, or start a new run."
        ) from None


def own_val(folder: Path, data: Data) -> Dataset:
    """The validation images that a run was scored on, wherever today's data has them.

    Masks that were added since may have changed what is held out.

    Raises:
        UserError: if they are no longer there.
    """
    file = folder / "splits" / "val.txt"
    if not file.is_file():
        raise UserError(f"{file} is missing: it lists what the run was scored on. Restore it.")
    wanted = file.read_text(encoding="utf-8").splitlines()
    if list(data.val.names) == wanted:
        return data.val
    for files in (data.val, data.labeled):
        if not isinstance(files, Files):
            return data.val
    assert isinstance(data.val, Files) and isinstance(data.labeled, Files)
    places = {name: (data.val, i) for i, name in enumerate(data.val.names)}
    places |= {name: (data.labeled, i) for i, name in enumerate(data.labeled.names)}
    missing = [name for name in wanted if name not in places]
    if missing:
        raise UserError(
            f"{len(missing)} validation image(s) of {folder} are no longer there, or have no mask "
            f"(first: {missing[0]}). Restore them, or give data.val."
        )
    found = [places[name] for name in wanted]
    return replace(
        data.val,
        images=[files.images[i] for files, i in found],
        masks=[files.masks[i] for files, i in found],
        names=wanted,
    )


def recipe_file(folder: Path) -> Path:
    """The recipe of a run.

    Raises:
        UserError: if the folder is no run folder.
    """
    if not (folder / "recipe.yaml").is_file():
        raise UserError(f"{folder} is not a run folder: it has no recipe.yaml.")
    return folder / "recipe.yaml"


def weights_file(folder: Path, kind: str) -> Path:
    """The checkpoint `best` or `last` of a run."""
    recipe_file(folder)
    return folder / "weights" / f"{kind}.pt"
