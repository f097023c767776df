"""The images of a run: their names and fingerprints, and how to find the same images again."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fewmask import atomic
from fewmask.atomic import parse_json, read_bytes, read_text
from fewmask.data import Chosen, Data, Dataset
from fewmask.data.lists.published import recognize_dataset
from fewmask.data.masks import MASK_SUFFIXES
from fewmask.data.object_masks import mask_parts
from fewmask.data.source import SUBSETS, mask_files
from fewmask.errors import UserError
from fewmask.run_folder.paths import RunPaths

LABELED = ("labeled", "val")
MASKS = "masks_sha256"
"""The key of the fingerprints of the masks."""


def write_subsets(paths: RunPaths, data: Data) -> None:
    """Records the names of labeled, unlabeled and validation images, and their fingerprints."""
    facts: dict[str, Any] = {}
    for subset in SUBSETS:
        dataset: Dataset = getattr(data, subset)
        names: Sequence[str] = dataset.names
        facts[subset] = recognize_dataset(dataset).as_dict()
        if dataset.is_pool:
            # A pool may hold millions of names; its fingerprint is enough to recognize it.
            names = [f"# {len(names)} images of data.pool, fingerprint in {paths.facts.name}"]
        text = "".join(f"{name}\n" for name in names)
        atomic.write_text(paths.split(subset), text)
    facts[MASKS] = {subset: _fingerprint_of_masks(getattr(data, subset)) for subset in LABELED}
    atomic.write_text(paths.facts, json.dumps(facts, indent=2))


def _fingerprint_of_masks(dataset: Dataset) -> str:
    """SHA-256 of the contents of all mask files; of nothing, if masks are not files."""
    digest = hashlib.sha256()
    for mask in mask_files(dataset):
        for file in mask_parts(mask, MASK_SUFFIXES):
            digest.update(hashlib.sha256(read_bytes(file)).digest())
    return digest.hexdigest()


def read_fingerprints(paths: RunPaths) -> tuple[dict[str, str], dict[str, str]]:
    """The noted fingerprints of all subsets, and of the masks of those that have some.

    Raises:
        UserError: if the file is missing or damaged.
    """
    try:
        facts = parse_json(read_text(paths.facts))
        images: dict[str, str] = {subset: facts[subset]["sha256"] for subset in SUBSETS}
        # Runs of version 0.1 did not note the masks.
        noted = LABELED if MASKS in facts else ()
        return images, {subset: facts[MASKS][subset] for subset in noted}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"Cannot read {paths.facts} ({type(error).__name__} {error}). The run folder is "
            "damaged, or the run never began. Restore the file, or start a new run."
        ) from None


def require_same_images(paths: RunPaths, data: Data) -> None:
    """Makes sure that a resumed run continues with the images it began with.

    Raises:
        UserError: if a subset has changed since then.
    """
    images, masks = read_fingerprints(paths)
    for subset in SUBSETS:
        if recognize_dataset(getattr(data, subset)).sha256 != images[subset]:
            raise UserError(
                f"The {subset} images of {paths.folder} have changed since the run began. "
                f"{paths.split(subset).relative_to(paths.folder)} lists those it used. Restore "
                "them, or start a new run."
            )
    for part, before in masks.items():
        if _fingerprint_of_masks(getattr(data, part)) != before:
            raise UserError(
                f"Masks of the {part} images of {paths.folder} have changed since the run began. "
                "Restore them, or start a new run."
            )


def own_val(paths: RunPaths, data: Data) -> Dataset:
    """The validation images that a run was scored on, wherever today's data has them.

    If masks were added since then, other images may be held out today.

    Raises:
        UserError: if some of the images are missing.
    """
    file = paths.split("val")
    if not file.is_file():
        raise UserError(
            f"{file} is missing. It lists the images that the run was scored on. Restore it."
        )
    try:
        wanted = read_text(file).splitlines()
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}. Restore it.") from None
    if list(data.val.names) == wanted:
        return data.val
    places = {name: (data.val, i) for i, name in enumerate(data.val.names)}
    places |= {name: (data.labeled, i) for i, name in enumerate(data.labeled.names)}
    missing = [name for name in wanted if name not in places]
    if missing:
        raise UserError(
            f"{len(missing)} validation image(s) of {paths.folder} are missing today, or have no "
            f"mask (first: {missing[0]}). Restore them, or give data.val."
        )
    return Chosen([places[name] for name in wanted])
