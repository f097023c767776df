"""The lists of a comparison: what numbers mean, and which published scores stand below."""

from dataclasses import replace

import numpy as np
import pytest

from fewmask.cli.lists import list_words, published_rows
from fewmask.cli.words import recipe_from_words
from fewmask.data.lists import published
from fewmask.errors import UserError
from fewmask.report.comparison import Comparison
from tests.data.trees import tree, write_list
from tests.report.rows import row

LISTS = {
    "voc/unimatch/92": ["2007_000000", "2009_000001"],
    "voc/unimatch/1464": ["2007_000000", "2007_000001", "2009_000001"],
}
"""Images of the tiny VOC that stand for those of the published lists."""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A tiny VOC whose published lists are short."""
    voc = tree("voc", tmp_path / "VOC")
    shas = {}
    for name, ids in LISTS.items():
        write_list(voc / "splits" / f"{name}.txt", ids)
        shas[name] = published.recognize(ids).sha256
    known = tuple(
        replace(p, sha256=shas.get(p.name, p.sha256)) for p in published.published_lists()
    )
    for module in ("lists.published", "sources.published_dataset"):
        monkeypatch.setattr(f"fewmask.data.{module}.published_lists", lambda: known)
    return voc


def test_numbers_mean_the_lists_of_the_published_scores(root):
    words = ["voc/imas", f"data.root={root}"]
    (root / "mine.txt").write_text("2007_000001\n")
    found = list_words(words, ["92", " 1464", "3", str(root / "mine.txt")])
    lists = ["voc/unimatch/92", "voc/unimatch/1464", "3", str(root / "mine.txt")]
    assert [own[-1] for own in found.values()] == [f"data.labeled={name}" for name in lists]
    assert all(own[:-1] == words for own in found.values())
    assert [*found][:3] == ["92", "1464", "3"]
    assert "/" not in [*found][3] and not [*found][3].startswith((".", "-"))


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        (["92", "183"], "voc/unimatch/183: there is no .*183.txt. Copy the list"),
        (["92", "93"], "data.labeled=93: there is no"),
        (["92", "voc/unimatch/92"], "names a list twice"),
        (["92", "92"], "names a list twice"),
        (["92", ""], "separated by commas"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_before_any_training(root, lists, says):
    with pytest.raises(UserError, match=says):
        list_words(["voc/imas", f"data.root={root}"], lists)


def test_a_list_stands_in_one_place_only():
    with pytest.raises(UserError, match="data.labeled=5: with --lists, all lists"):
        list_words(["voc/imas", "data.labeled=5"], ["92"])


def rows_of(root, *words):
    each = list_words(["voc/imas", f"data.root={root}", *words], ["92", "3", "1464"])
    done = {}
    for name, own in each.items():
        data = recipe_from_words(own).source().open()
        counts = np.ones((2, 21), int)
        rows = [row(method, counts, counts) for method in ("supervised", "imas", "pcr", "fewmatch")]
        done[name] = Comparison(rows, data)
    return published_rows(each, done)


def test_published_scores_are_those_of_the_same_list_encoder_and_output_stride(root):
    (root / "splits" / "labeled_3.txt").write_text("2007_000002\n")  # no published list
    assert rows_of(root) == {
        "supervised": [45.46, None, 73.5],
        "imas": [68.78, None, 81.16],
        "pcr": [None] * 3,  # its network has output stride 8
        "fewmatch": [None] * 3,  # has no recipe of this data set
    }
    stride8 = rows_of(root, "model.output_stride=8")
    assert stride8["imas"] == [70.0, None, 82.0] and stride8["supervised"] == [None] * 3
    assert rows_of(root, "model.encoder=resnet50s")["imas"] == [None] * 3
