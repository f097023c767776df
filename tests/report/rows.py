"""Rows of a comparison with numbers made by hand."""

from collections.abc import Sequence

import numpy as np

from fewmask.report.comparison import Curve, Row
from fewmask.run_folder.result import NetworkScore


def row(method: str, *hits: np.ndarray, curve: Curve = ()) -> Row:
    """A method's row.

    Args:
        method: its name.
        hits: IoU in percent of each image and class, [images, K], one array per seed.
        curve: scores over the steps, the same for all seeds.
    """
    full = np.full_like(hits[0], 100)
    counts = np.stack([np.stack([each, full, full]) for each in hits])
    scores = [NetworkScore(float(each.mean()), float(each.mean()), 1) for each in hits]
    curves: Sequence[Curve] = [curve] * len(hits) if curve else ()
    return Row(method, [], scores, counts, 1.0, 1.0, curves)
