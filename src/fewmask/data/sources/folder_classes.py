"""The classes of a user's own folder: names for the labels in the masks, colors and values."""

from collections.abc import Sequence
from pathlib import Path

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import require_no_error
from fewmask.data.checks.mask_values import value_findings
from fewmask.data.checks.survey import survey_masks
from fewmask.data.classes import Classes, default_colors, numbered
from fewmask.data.label_table import LabelTable
from fewmask.data.masks import read_mask
from fewmask.errors import UserError, listed


def invent_names(files: Sequence[Path | None], labels: LabelTable) -> tuple[list[str], list[str]]:
    """Names for the labels found in the masks, when the user gave none.

    Args:
        files: of the masks; None for an image without one.
        labels: how mask values become labels, as far as the user has said.

    Returns:
        The names, and what the user should look at, a sentence each.

    Raises:
        UserError: if the masks hold fewer than two classes, or values that do not look like labels.
    """
    masks = [mask for mask in files if mask is not None]
    survey = survey_masks({"labeled": masks}, labels)
    facts = survey.masks["labeled"]
    for one in facts:
        if one.error is not None:
            read_mask(one.file, labels.array)  # it says what is wrong
    findings = [*value_findings(survey, None, labels)]
    require_no_error(findings)
    values = sorted({value for one in facts for value in one.values})
    ignored = [value for value in values if labels.label_of(value) == IGNORE]
    labels_of = (labels.label_of(value) for value in values)
    found = {label for label in labels_of if label is not None and label != IGNORE}
    if len(found) < 2:
        raise UserError(
            f"The masks hold the value(s) {listed(values)}"
            + (f", of which {listed(ignored)} mean 'no label'" if ignored else "")
            + ". That leaves fewer than two classes. Label a second class."
        )
    top = max(found)
    if top >= 2 * len(found) + 8:
        raise UserError(
            f"With data.label_mapping, the masks hold the labels {listed(sorted(found))}. Map to "
            f"0..{len(found) - 1}, without gaps, or name {top + 1} classes in data.names."
        )
    notes = [f"{one.what} {one.advice}" for one in findings if one.level == "warning"]
    if IGNORE in values and labels.label_of(IGNORE) == IGNORE and IGNORE not in labels.mapping:
        notes.append("The masks also hold 255, which means 'no label' (data.ignore).")
    return numbered(top + 1), notes


def folder_classes(names: Sequence[str], labels: LabelTable) -> Classes:
    """The classes, with the colors and values of the user's own mask files.

    Args:
        names: one per class, in order of the label.
        labels: how values or colors in the mask files become labels.
    """
    colors: list[Sequence[int]] = list(default_colors(len(names)))
    for color, label in labels.palette.items():
        if label != IGNORE:
            colors[label] = _rgb(color)
    values = list(range(len(names)))
    # Of several values for one class, the smallest is written: it comes last here.
    for value, label in sorted(labels.mapping.items(), reverse=True):
        if label != IGNORE and value >= 0:
            values[label] = value
    white = 0xFFFFFF
    ignored_color = next((c for c, label in labels.palette.items() if label == IGNORE), None)
    if labels.palette:
        no_label = None if ignored_color is None else IGNORE
    else:
        no_label = _ignored_value(labels)
    return Classes(
        names, colors, values, no_label, _rgb(white if ignored_color is None else ignored_color)
    )


def _ignored_value(labels: LabelTable) -> int | None:
    """The largest value of one byte that means "no label"."""
    ignored = {*labels.ignore} - labels.mapping.keys()
    ignored |= {value for value, label in labels.mapping.items() if label == IGNORE}
    return max((value for value in ignored if 0 <= value <= 255), default=None)


def _rgb(color: int) -> tuple[int, int, int]:
    return color >> 16, (color >> 8) & 255, color & 255
