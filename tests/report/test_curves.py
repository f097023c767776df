"""Charts of a run, from tables written by hand."""

import json

import numpy as np
import pytest

from fewmask.errors import UserError
from fewmask.evaluation.examination import Examination
from fewmask.evaluation.metrics import scores
from fewmask.report import curves
from fewmask.run_folder.paths import RunPaths


@pytest.fixture
def paths(tmp_path):
    paths = RunPaths(tmp_path)
    paths.results.write_text(
        "step,network,miou,pixel_accuracy\n1,teacher,10,20\n2,teacher,30,40\n2,student,5,6\n"
    )
    lines = [
        {"step": s, "lr": 0.1, "loss_labeled": 2.0 / s, "used_pixels": 0.5, "images_per_second": 9}
        for s in (1, 2)
    ]
    paths.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return paths


def test_training_charts_sort_what_was_logged(paths):
    charts = {chart.title: chart for chart in curves.training_charts(paths)}
    assert [line.name for line in charts["mIoU on val, %"].lines] == ["teacher", "student"]
    assert [line.name for line in charts["losses"].lines] == ["labeled"]
    assert [line.name for line in charts["shares"].lines] == ["used pixels"]  # no lr
    assert charts["speed, images per second"].summary == " ends at 9"
    paths.metrics.unlink()
    assert [chart.title for chart in curves.training_charts(paths)] == ["mIoU on val, %"]


def test_pseudo_labels_of_the_last_evaluation(paths):
    assert curves.pseudo_label_chart(paths) is None
    paths.pseudo_labels.write_text("step,used,accuracy,confidence\n1,0.2,0.8,0.9\n2,0.4,0.9,0.95\n")
    chart = curves.pseudo_label_chart(paths)
    assert chart.summary == "used ends at 0.4; accuracy ends at 0.9; confidence ends at 0.95"
    paths.pseudo_shares.write_text("step,class,labeled,pseudo\n1,a,0.5,0.1\n2,a,0.5,0.25\n")
    assert curves.pseudo_label_shares(paths) == [("a", 50.0, 25.0)]


def test_hardness_by_period_hardest_first(paths):
    assert curves.hardness_chart(curves.hardness_by_period(paths)) is None
    paths.hardness.write_text(
        "step,image,easiness,hardness\n1,easy,0.5,0.5\n1,hard,0.4,0.6\n100,easy,1,0\n"
        "100,hard,0.25,0.75\n99,easy,0.9,0.5\n"
    )
    lines = curves.hardness_by_period(paths)
    assert [*lines] == ["hard", "easy"]
    assert lines["hard"] == [(10.0, 0.6), (100.0, 0.75)]
    assert lines["easy"] == [(10.0, 0.5), (100.0, 0.25)]
    assert curves.hardness_chart(lines).thin


def test_reliability_against_the_ideal():
    confusion = scores(np.eye(2, dtype=int))
    bins = np.array([0.5, 0.9, np.nan]), np.array([0.4, 0.8, np.nan]), np.array([1, 1, 0])
    chart = curves.reliability_chart(Examination(confusion, 0.0, *bins, np.array([1.0])))
    assert chart.summary == "this network ends at 0.8; ideal ends at 1"


@pytest.mark.parametrize(
    ("table", "chart"),
    [
        ("pseudo_labels", curves.pseudo_label_chart),
        ("pseudo_shares", curves.pseudo_label_shares),
        ("hardness", curves.hardness_by_period),
    ],
)
def test_a_table_of_another_kind_is_refused(table, chart, paths):
    getattr(paths, table).write_text("step,share\n1,0.5\n")
    with pytest.raises(UserError, match=f"{table}.csv is damaged: it has no column"):
        chart(paths)
