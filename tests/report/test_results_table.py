"""The scores of runs as text."""

from pathlib import Path

from fewmask.data.lists.published import recognize
from fewmask.evaluation import EvaluationConfig
from fewmask.report.results_table import table
from fewmask.run_folder.result import NetworkScore, Result


def test_one_paragraph_per_run():
    split = recognize(["a", "b"])
    networks = {
        "teacher": NetworkScore(50.125, 61.5, 20, evaluations=3),
        "student": NetworkScore(40.0, 41.0, 10),
    }
    result = Result(
        Path("runs/a"), "folder", "imas", "resnet50", split, 7, split, EvaluationConfig(), 30, 40,
        "data/photos",
        ("sky",), None, networks, {}, 1.0,
    )  # fmt: skip
    first, teacher, student = table([result]).splitlines()
    assert first == (
        "runs/a: iMAS on photos/ (2 labeled, 7 unlabeled, 2 validation images), resnet50; scored "
        "on whole images"
    )
    expected = "teacher last 50.12 best 61.50 (step 20 of 40; the highest of 3 evaluations)"
    assert teacher.split() == expected.split()
    assert student.split()[0] == "student" and student.endswith("of 1 evaluation)")
