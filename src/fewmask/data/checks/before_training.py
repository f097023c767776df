"""Reads the files before training, so that a damaged file cannot stop a run in the middle."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from fewmask import atomic
from fewmask.atomic import parse_json, read_text
from fewmask.data.cache import cache_folder
from fewmask.data.checks.finding import Finding, require_no_error
from fewmask.data.checks.labels import label_findings
from fewmask.data.checks.loaded import loaded_findings
from fewmask.data.checks.survey import survey_masks
from fewmask.data.dataset import Dataset, real_files
from fewmask.data.source import Data, mask_files
from fewmask.errors import UserError

SILENT_FILES = 2000
"""With more files than this, a message says that they are being checked."""
MOST_DAMAGED = 0.1
"""If a larger share of a pool's images is damaged, training does not start."""

Tell = Callable[[str], None]


def check_data(data: Data, needs_unlabeled: bool, tell: Tell) -> None:
    """Reads labeled and validation images with their masks, and verifies the unlabeled images.

    What the masks hold is looked at as `fewmask check` does it. A run does not start while that
    finds an error, and its warnings are told.

    For most unlabeled files, reading the head and the end is enough, so 118,000 files take seconds.
    Files that passed once are not read again until one of them changes.

    Args:
        data: what a source opened.
        needs_unlabeled: whether the method uses unlabeled images.
        tell: receives what was decided on the user's behalf.

    Raises:
        UserError: for the first file or set that is wrong.
    """
    for note in data.notes:
        tell(note)
    _require_images(data, needs_unlabeled)
    _require_apart(data)
    for warning in _label_warnings(data):
        tell(warning)
    with ThreadPoolExecutor() as executor:  # Pillow decodes without the interpreter lock
        for dataset in (data.labeled, data.val):
            _check_all(dataset, True, executor, tell)
        if needs_unlabeled and data.unlabeled.is_pool:
            _check_sample(data.unlabeled, executor, tell)
        elif needs_unlabeled:
            _check_all(data.unlabeled, False, executor, tell)
    for warning in _remembered("loaded", data, lambda: loaded_findings(data)):
        tell(warning)


def _require_images(data: Data, needs_unlabeled: bool) -> None:
    for subset, dataset in (("labeled", data.labeled), ("val", data.val)):
        if len(dataset) == 0:
            raise UserError(f"There are no {subset} images. Set data.{subset}.")
    if needs_unlabeled and len(data.unlabeled) == 0:
        raise UserError(
            "There are no unlabeled images: every image has a mask. Add images without masks, "
            "count fewer as labeled (data.labeled=N), or train with method=supervised."
        )


def _require_apart(data: Data) -> None:
    """No image that is trained on may be a validation image."""
    # Resolved paths: a link to a val image is that image.
    val = real_files(data.val)
    if not val:
        return
    for subset, dataset in (("labeled", data.labeled), ("unlabeled", data.unlabeled)):
        both = dataset.shared_files(val)
        if both:
            raise UserError(
                f"{len(both)} {subset} image(s) are also in val (first: {Path(min(both)).name}). "
                "Scores on images that were trained on are meaningless. Take them out of one of "
                "the lists."
            )


def _check_sample(pool: Dataset, executor: ThreadPoolExecutor, tell: Tell) -> None:
    """Verifies some images of a pool. Training can go on with a few damaged ones."""

    def error_of(index: int) -> UserError | None:
        try:
            pool.verify_image(index)
        except UserError as error:
            return error
        return None

    sample = pool.sample()
    errors = [error for error in executor.map(error_of, sample) if error is not None]
    if len(errors) > MOST_DAMAGED * len(sample):
        raise errors[0]
    if errors:
        tell(
            f"{len(errors)} of {len(sample)} sampled images of the pool cannot be read. Such "
            f"images are skipped while training. The first: {errors[0]}"
        )


def _label_warnings(data: Data) -> list[str]:
    """What is doubtful about what the masks hold; nothing if they are not files."""
    table, names = data.labeled.label_table(), data.classes.names
    masks = {"labeled": mask_files(data.labeled), "val": mask_files(data.val)}
    if table is None or any(len(masks[s]) < len(getattr(data, s)) for s in masks):
        return []
    return _remembered(
        "surveyed", data, lambda: label_findings(survey_masks(masks, table), names, table)
    )


def _remembered(kind: str, data: Data, find: Callable[[], Iterable[Finding]]) -> list[str]:
    """The warnings about labeled and val images; found once, until a file or a check changes.

    Raises:
        UserError: for the first error that is found.
    """
    states = [dataset.state(True) for dataset in (data.labeled, data.val)]
    mark = None
    if None not in states:
        known = (_age_of_checks(), states, data.classes.names, data.value_range)
        facts = hashlib.sha256(repr(known).encode())
        for array in (one for one in vars(data).values() if isinstance(one, np.ndarray)):
            facts.update(array.tobytes())  # image-level labels come from a file of their own
        mark = cache_folder() / kind / facts.hexdigest()
        with suppress(OSError, ValueError, TypeError):  # not there, or damaged
            return [*map(str, parse_json(read_text(mark)))]
    findings = [*find()]
    require_no_error(findings)
    warnings = [f"{one.what} {one.advice}" for one in findings if one.level == "warning"]
    if mark is not None:
        _leave(mark, json.dumps(warnings))
    return warnings


def _age_of_checks() -> list[int]:
    """Changes with another version of fewmask, which may look at more."""
    return sorted(file.stat().st_mtime_ns for file in Path(__file__).parent.glob("*.py"))


def _leave(mark: Path, text: str) -> None:
    with suppress(OSError):  # a read-only home: looked at again next time
        atomic.write_text(mark, text)


def _check_all(
    dataset: Dataset, with_masks: bool, executor: ThreadPoolExecutor, tell: Tell
) -> None:
    """Verifies every image of a set, unless the same files have passed before."""
    state = dataset.state(with_masks)
    # An empty file whose name says: these files, at these sizes and times, are sound.
    mark = None if state is None else cache_folder() / "checked" / state
    if mark is not None and os.path.isfile(mark):  # Path.is_file raises in a locked folder
        return
    if mark is not None and len(dataset) > SILENT_FILES:
        tell(f"Checking {len(dataset)} files, once until they change ...")
    verify = dataset.verify_pair if with_masks else dataset.verify_image
    list(executor.map(verify, dataset.sample()))
    if mark is not None:
        _leave(mark, "")
