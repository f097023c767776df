"""Findings about images and masks as they are loaded, after all that reading does to them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fewmask.data.checks.edges import edge_findings
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.image_labels import image_label_findings
from fewmask.data.checks.inverted import inverted_findings
from fewmask.data.checks.steps import step_findings
from fewmask.data.dataset import Dataset
from fewmask.data.source import Data

SAMPLED_IMAGES = 20
"""As many labeled images are looked at, spread over all of them."""
FLAT = 12
"""An image whose values differ by less than this, of 0 to 255, shows next to nothing."""
MOSTLY = 0.5
"""A single dark photo is no matter; this share of them is."""


def loaded_findings(data: Data) -> Iterator[Finding]:
    """All findings about what is loaded: ranges of values, masks that do not fit, dark images."""
    if data.value_range is not None:
        low, high = data.value_range
        yield Finding(
            "note",
            f"The images have more than 8 bits: values from {low:g} to {high:g} become 0 to 255.",
            f"Another range: data.range='[{low:g}, {high:g}]'.",
        )
    yield from image_label_findings(data)
    yield from edge_findings(data.labeled)
    yield from step_findings(data.labeled)
    yield from _inverted(data)
    for subset, images in (("labeled", data.labeled), ("val", data.val)):
        yield from _flat(subset, images)


def _flat(subset: str, images: Dataset) -> Iterator[Finding]:
    """Images that are black, or nearly of one color."""
    sampled = range(0, len(images), max(1, len(images) // SAMPLED_IMAGES))
    flat = [index for index in sampled if _is_flat(images.image(index))]
    if len(flat) > MOSTLY * len(sampled):
        yield Finding(
            "warning",
            f"{len(flat)} of {len(sampled)} {subset} images show hardly any values once they are "
            "loaded: nearly all of their pixels look alike.",
            "Open one of them. If its values have another range, set data.range; if another page "
            "or band counts, save that one.",
            names_of(images.file(index) or Path(images.names[index]) for index in flat),
        )


def _inverted(data: Data) -> Iterator[Finding]:
    """Masks of two classes, of which some are inverted; those of val are looked at as well."""
    if len(data.classes) != 2:
        return
    found = []
    for part in (data.labeled, data.val):
        for index in range(0, len(part), max(1, len(part) // SAMPLED_IMAGES)):
            file = part.file(index) or Path(part.names[index])
            found.append((file, part.image(index), part.mask(index)))
    files, images, masks = zip(*found, strict=True)
    yield from inverted_findings(files, images, masks)


def _is_flat(image: np.ndarray) -> bool:
    """Whether the values of an image uint8 [H, W, C] lie close together, outliers apart."""
    low, high = np.percentile(image[::4, ::4], (1, 99))
    return bool(high - low < FLAT)
