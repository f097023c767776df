"""A comparison says which runs are done, which are to come, and how long they take."""

from types import SimpleNamespace

import pytest

from fewmask.run_folder.result import NetworkScore
from fewmask.tasks import compare_plan
from fewmask.tasks.compare_plan import Plan, Planned


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Two runs of two methods: both of supervised are finished, after 2 and 4 minutes."""
    minutes = {tmp_path / "a0": 2, tmp_path / "a1": 4, tmp_path / "b0": 5}

    class FakeRun:
        def __init__(self, folder):
            self.is_finished = folder in minutes and folder.name != "b0"
            self.result = SimpleNamespace(seconds={"steps": 50 * minutes[folder], "data": 10.0})
            self.scores = {"teacher": NetworkScore(55.46, 56, 1), "student": NetworkScore(1, 1, 1)}

        open = classmethod(lambda cls, folder: cls(folder))

    monkeypatch.setattr(compare_plan, "Run", FakeRun)
    runs = [
        Planned(method, seed, tmp_path / f"{letter}{seed}")
        for method, letter in (("supervised", "a"), ("imas", "b"))
        for seed in range(2)
    ]
    for folder in minutes:
        paths = Planned("", 0, folder).paths
        paths.last.parent.mkdir(parents=True)
        paths.recipe.touch()
        paths.last.touch()
    return Plan(runs)


def test_all_runs_are_listed_with_how_far_they_are(plan):
    assert plan.in_words() == (
        "4 runs: supervised seed 0 (done), supervised seed 1 (done), imas seed 0 (begun), "
        "imas seed 1"
    )
    assert plan.before(2) == "run 3 of 4: imas, seed 0"
    assert Plan(plan.runs[3:]).in_words() == "1 run: imas seed 1"


def test_a_finished_run_tells_score_minutes_and_what_is_to_come(plan):
    assert plan.after(1).splitlines() == [
        "supervised, seed 1: mIoU 55.5 (teacher, after the last step), 3 min 30 s",
        "still to come: 2 of imas",
    ]


def test_runs_to_come_take_as_long_as_those_of_their_method_that_are_done(plan):
    others = [Planned("supervised", seed, plan.runs[0].folder / str(seed)) for seed in range(3)]
    longer = Plan([*plan.runs[:2], *others, *plan.runs[2:]])
    # 110 s and 210 s are done, so 3 more are 3 x 160 s.
    assert longer.after(0).splitlines()[1] == (
        "still to come: 3 of supervised, about 8 min; 2 of imas"
    )
    assert len(Plan(plan.runs[:2]).after(1).splitlines()) == 1
