"""The scores of runs as text."""

from pathlib import Path

from fewmask.data.lists.published import recognize
from fewmask.evaluation import EvaluationConfig
from fewmask.run_folder.result import NetworkScore, Result
from fewmask.tasks.results import table


def test_one_paragraph_per_run():
    split = recognize(["a", "b"])
    networks = {"teacher": NetworkScore(50.125, 61.5, 20), "student": NetworkScore(40.0, 41.0, 10)}
    result = Result(
        Path("runs/a"), "photos", "imas", "resnet50", split, split, EvaluationConfig(), 30, 40, "",
        ("sky",), None, networks, {}, 1.0,
    )  # fmt: skip
    first, teacher, student = table([result]).splitlines()
    assert first.startswith("runs/a: imas on photos, resnet50, labeled") and "whole image" in first
    assert teacher.split() == "teacher last 50.12 best 61.50 (step 20 of 40)".split()
    assert student.split()[0] == "student"
