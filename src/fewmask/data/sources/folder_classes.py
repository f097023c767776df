"""The classes of a user's own folder: names for the labels in the masks, colors and values."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.classes import Classes, default_colors, numbered
from fewmask.data.files import Files
from fewmask.data.images import read_mask
from fewmask.data.label_table import LabelTable
from fewmask.errors import UserError


def invent_names(files: Files, mapping: Mapping[int, int], ignore: Sequence[int]) -> list[str]:
    """Names for the labels found in the masks, when the user gave none.

    Args:
        files: whose masks are read.
        mapping: mask value to label.
        ignore: mask values that mean "no label".

    Raises:
        UserError: if the masks hold fewer than two classes, or values that do not look like labels.
    """
    masks = [mask for mask in files.masks if mask is not None]
    values = sorted({int(v) for mask in masks for v in np.unique(read_mask(mask))})
    kept = [v for v in values if v in mapping or v not in ignore]
    labels = {mapping.get(v, v) for v in kept} - {IGNORE}
    if len(labels) < 2:
        raise UserError(
            f"The masks hold the value(s) {values}, of which {sorted(ignore)} mean 'no label'. "
            "That leaves fewer than two classes. "
            + (
                "If 255 is your object, set data.label_mapping='{255: 1}'."
                if IGNORE in values
                else "Label a second class."
            )
        )
    # Gaps of this size come from values such as 10, 20, 30, and not from a class without pixels.
    if max(labels) >= 2 * len(labels) + 8:
        raise UserError(
            f"The masks hold the values {values}, which do not look like labels 0..K-1. Set "
            "data.label_mapping (value to label) and data.names."
        )
    return numbered(max(labels) + 1)


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
        if label != IGNORE:
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
    return max((value for value in ignored if value <= 255), default=None)


def _rgb(color: int) -> tuple[int, int, int]:
    return color >> 16, (color >> 8) & 255, color & 255
