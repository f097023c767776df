"""The tables of a comparison."""

import io

import numpy as np
import pytest
from rich.console import Console

from fewmask.cli.words import recipe_from_words
from fewmask.report.comparison import Comparison, class_table, table
from tests.report.rows import row


@pytest.fixture
def comparison():
    data = recipe_from_words(["synthetic", "data.val=30"]).source().open()
    base = np.full((30, len(data.classes)), 40)
    return Comparison([row("supervised", base, base + 2), row("imas", base + 8, base + 10)], data)


def shown(rich_table):
    console = Console(file=io.StringIO(), width=200)
    console.print(rich_table)
    return console.file.getvalue()


def test_the_table_has_mean_and_spread_over_seeds_and_the_gain_over_the_baseline(comparison):
    *_, supervised, imas, _ = shown(table(comparison)).rstrip(" \n").split("\n") + [""]
    assert supervised.split()[:2] == ["supervised", "41.0±1.4"]
    assert imas.split()[:4] == ["iMAS", "49.0±1.4", "49.0±1.4", "+8.0"]


def test_every_class_has_its_mean_iou(comparison):
    lines = [line.split() for line in shown(class_table(comparison)).splitlines()]
    assert ["star", "41.0", "49.0"] in lines


def test_the_baseline_has_no_difference_to_itself(comparison):
    supervised, imas = comparison.rows
    assert comparison.difference(supervised) is None
    assert comparison.difference(imas).value == pytest.approx(8)
