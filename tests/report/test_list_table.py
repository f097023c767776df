"""A row of a paper's table."""

import numpy as np

from fewmask.cli.words import recipe_from_words
from fewmask.report.comparison import Comparison
from fewmask.report.list_table import list_table
from tests.report.rows import row
from tests.report.test_comparison import shown


def test_published_scores_stand_below_our_last_and_best_ones():
    data = recipe_from_words(["synthetic", "data.val=3"]).source().open()
    base = np.full((3, len(data.classes)), 40)

    def compared(gain: int) -> Comparison:
        rows = [row("supervised", base, base), row("imas", base + gain, base + gain + 2)]
        return Comparison(rows, data)

    published = {"imas": [68.78, None], "supervised": [None, None]}
    lines = shown(list_table({"92": compared(5), "183": compared(9)}, published)).splitlines()
    cells = [line.split() for line in lines if line.split()]
    assert ["92", "183"] in cells
    assert cells[3:] == [
        ["supervised,", "last", "40.0±0.0", "40.0±0.0"],
        ["supervised,", "best", "40.0±0.0", "40.0±0.0"],
        ["iMAS,", "last", "46.0±1.4", "50.0±1.4"],
        ["iMAS,", "best", "46.0±1.4", "50.0±1.4"],
        ["iMAS,", "published", "68.78"],
    ]
