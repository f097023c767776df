"""Findings about image-level labels that contradict the masks of labeled images."""

from collections.abc import Iterator

import numpy as np

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, file_of, names_of
from fewmask.data.source import Data

MOSTLY = 0.5
"""If more of the images contradict, the image-level labels mean something else."""


def image_label_findings(data: Data) -> Iterator[Finding]:
    """An error or a warning if masks show other classes than the image-level labels name.

    Classes that no image-level label names, as the background often, are not compared.
    """
    shows = data.labeled_shows
    if shows is None or data.image_labels is None:
        return
    told = np.flatnonzero(shows.any(axis=1)).tolist()  # all others may not be named at all
    named = {*np.flatnonzero(shows.any(axis=0) | data.image_labels.any(axis=0)).tolist()}
    wrong = [i for i in told if _contradicts(data.labeled.mask(i), shows[i], named)]
    if not wrong:
        return
    names = data.classes.names
    first = ", ".join(names[k] for k in np.flatnonzero(shows[wrong[0]]))
    drawn = ", ".join(names[k] for k in np.unique(data.labeled.mask(wrong[0])) if k != IGNORE)
    yield Finding(
        "error" if len(wrong) > MOSTLY * len(told) else "warning",
        f"data.image_labels contradicts the masks of {len(wrong)} of {len(told)} labeled images. "
        f"It gives {data.labeled.names[wrong[0]]} {first}; the mask shows {drawn}.",
        "Correct them; if its numbers count from 1 and those of the masks from 0, subtract 1.",
        names_of(file_of(data.labeled, i) for i in wrong),
    )


def _contradicts(mask: np.ndarray, shows: np.ndarray, named: set[int]) -> bool:
    """Whether a mask shows a class that is not told, or, if it is complete, lacks one that is."""
    drawn, told = {*np.unique(mask).tolist()}, {*np.flatnonzero(shows).tolist()}
    return bool((drawn & named) - told or (IGNORE not in drawn and told - drawn))
