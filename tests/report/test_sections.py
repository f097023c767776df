"""Sections of a report: numbers checked by hand."""

from pathlib import Path

import numpy as np
import pytest

from fewmask.data.lists.published import recognize
from fewmask.evaluation import EvaluationConfig
from fewmask.evaluation.examination import Examination
from fewmask.evaluation.metrics import scores
from fewmask.report import sections
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.result import NetworkScore, Result

MATRIX = np.array([[8, 2, 0], [5, 5, 0], [0, 0, 0]])
NAMES = ("sky", "sea", "ship")


def examination():
    bins = np.array([0.9]), np.array([0.6]), np.array([20])
    return Examination(scores(MATRIX), 40.0, *bins, np.array([50.0]))


def result(networks, classes=NAMES, seconds=None):
    split = recognize(["a"])
    return Result(
        Path("runs/base"), "photos", "supervised", "resnet50", split, 7, split, EvaluationConfig(),
        1, 1, "", classes, None, networks, seconds or {}, 1.0,
    )  # fmt: skip


def test_classes_are_compared_with_the_baseline():
    alone = sections.class_table(NAMES, examination(), None)
    assert alone.baseline == "" and [row.baseline_iou for row in alone.rows] == [None] * 3
    assert alone.rows[0].iou == pytest.approx(100 * 8 / 15) and alone.rows[2].iou is None
    before = result({"student": NetworkScore(1, 1, 1, iou=(50.0, float("nan")))})
    both = sections.class_table(NAMES, examination(), before)
    assert both.baseline == "base" and [row.baseline_iou for row in both.rows] == [50.0, None, None]


def test_confusion_in_percent_of_the_true_class():
    found = sections.confusion(NAMES, MATRIX)
    assert found.percent == [[80, 20, 0], [50, 50, 0], [0, 0, 0]]
    assert found.largest.startswith("sea as sky 50, sky as sea 20")
    many = sections.confusion([str(i) for i in range(26)], np.eye(26, dtype=int))
    assert many.percent == []


def test_calibration_and_borders():
    found = sections.calibration(examination())
    assert found.error == pytest.approx(30) and found.boundary_iou == 40.0
    assert found.miou == pytest.approx(100 * (8 / 15 + 5 / 12) / 2)


def test_time_in_percent():
    data, steps = sections.times(result({}, seconds={"data": 30.0, "steps": 90.0}))
    assert (data.activity, data.minutes, data.percent) == ("waiting for data", 0.5, 25)
    assert (steps.activity, steps.percent) == ("steps", 75)


def test_sections_without_data_are_left_out(tmp_path):
    assert sections.pseudo_labels(RunPaths(tmp_path)) is None
    assert sections.hardness(RunPaths(tmp_path)) is None
    rows = "".join(f"1,p{i},{1 - i / 20},{i / 20}\n" for i in range(20))
    RunPaths(tmp_path).hardness.write_text(f"step,image,easiness,hardness\n{rows}")
    assert sections.hardness(RunPaths(tmp_path)).hardest == [f"p{i}" for i in range(19, 9, -1)]
