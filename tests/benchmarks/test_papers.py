"""Published scores with the commands, steps and hours that belong to them."""

import pytest

from benchmarks import papers
from benchmarks.tables import stored
from fewmask.recipes import load_recipe
from fewmask.recipes.shipped import published_scores, recipe_names


@pytest.mark.parametrize(
    ("name", "labeled", "steps"),
    [
        ("voc/imas", 92, 80 * 655),  # 10,490 other images in batches of 16, and 6 left out
        ("voc/gta", 183, 80 * 866),  # in batches of 12
        ("cityscapes/pcr", 186, 200 * 174),
        ("voc/supervised", 92, 80 * 5),  # the labeled images alone
        ("coco/pseudoseg", 232, 200_000),
    ],
)
def test_steps_are_those_of_the_papers(name, labeled, steps):
    assert papers.steps(load_recipe(name, {"data": {"root": "x"}}), labeled) == steps


def test_every_published_score_is_on_the_page():
    by_name = {result.file_name: result for result in stored()}
    for name in recipe_names():
        scores = published_scores(name)
        assert (f"published:{name}" in papers.TABLES) == bool(scores)
        if scores:
            rows = papers.TABLES[f"published:{name}"](by_name).split("\n")[2:]
            assert [float(row.split("|")[1]) for row in rows] == [s.miou for s in scores]
            assert all(
                row.endswith("` |") and f"`fewmask train {name} data.root=" in row for row in rows
            )


def test_hours_are_those_of_a_network_that_was_timed():
    by_name = {result.file_name: result for result in stored()}
    step = by_name[papers.TIMED].value("imas", "step") / 1000  # of 8 + 8 images
    imas, pcr = (load_recipe(name, {"data": {"root": "x"}}) for name in ("voc/imas", "voc/pcr"))
    assert papers.hours(imas, 52_400, 16, by_name) == f"{52_400 * 2 * step / 3600:.1f}"
    assert papers.hours(imas, 52_400, 8, by_name) == papers.hours(pcr, 52_400, 8, by_name) == ""
