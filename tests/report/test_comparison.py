"""The verdict of a comparison, in words."""

import numpy as np

from fewmask.cli.words import recipe_from_words
from fewmask.report.comparison import Comparison, Row, verdict
from fewmask.run_folder.result import NetworkScore


def row(method, hits):
    hits = np.asarray(hits)
    full = np.full_like(hits, 100)
    counts = np.stack([hits, full, full])[None]
    return Row(method, [], [NetworkScore(0, 0, 1)], counts, 1.0, 1.0)


def test_the_verdict_names_help_harm_and_the_classes_that_lose():
    data = recipe_from_words(["synthetic", "data.val=30"]).source().open()
    base = np.full((30, len(data.classes)), 40)
    better, worse, mixed = base + 5, base - 5, base.copy()
    better[:, 2] = 30
    mixed[::2] += 9
    mixed[1::2] -= 9
    rows = [row("supervised", base), row("a", better), row("b", worse), row("c", mixed)]
    helped, harmed, unclear = verdict(Comparison(rows, data))
    assert helped.startswith("a helped: +") and f"Worse: {data.classes.names[2]} -10.0" in helped
    assert "b made the result worse" in harmed and "without the unlabeled images" in harmed
    assert "c made no difference" in unclear
    assert "no baseline to compare with" in verdict(Comparison(rows[1:], data))[0]
