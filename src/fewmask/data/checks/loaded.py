"""Findings about images and masks as they are loaded, after all that reading does to them."""

from collections.abc import Iterator

import numpy as np

from fewmask.data.checks.edges import edge_findings
from fewmask.data.checks.finding import Finding, file_of, names_of
from fewmask.data.checks.image_labels import image_label_findings
from fewmask.data.checks.inverted import inverted_findings
from fewmask.data.checks.steps import step_findings
from fewmask.data.dataset import Dataset
from fewmask.data.source import Data

SAMPLED_IMAGES = 20
"""About this many images of a set are looked at, spread over all of them."""
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
    if len(data.classes) == 2:
        yield from inverted_findings(
            (file_of(part, index), part.image(index), part.mask(index))
            for part in (data.labeled, data.val)
            for index in _sampled(part)
        )
    for subset, images in (("labeled", data.labeled), ("val", data.val)):
        yield from _flat(subset, images)


def _flat(subset: str, images: Dataset) -> Iterator[Finding]:
    """Images that are black, or nearly of one color."""
    sampled = _sampled(images)
    flat = [index for index in sampled if _is_flat(images.image(index))]
    if len(flat) > MOSTLY * len(sampled):
        yield Finding(
            "warning",
            f"{len(flat)} of {len(sampled)} {subset} images have hardly any contrast once they are "
            "loaded: nearly all of their pixels look alike.",
            "Open one of them. If its values have another range, set data.range; if another page "
            "or band counts, save that one.",
            names_of(file_of(images, index) for index in flat),
        )


def _sampled(dataset: Dataset) -> range:
    return range(0, len(dataset), max(1, len(dataset) // SAMPLED_IMAGES))


def _is_flat(image: np.ndarray) -> bool:
    """Whether the values of an image uint8 [H, W, C] lie close together, outliers apart."""
    low, high = np.percentile(image[::4, ::4], (1, 99))
    return bool(high - low < FLAT)
