"""The logger collects, averages, and hands on to every sink."""

import numpy as np
import pytest
import torch

from fewmask.batch import StepReport
from fewmask.engine.logger import Logger
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.choosing import LoggingConfig, create_sinks
from fewmask.errors import UserError
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths
from tests.engine.clock import Clock

SCORES = Scores(50.0, 90.0, (60.0, 40.0), np.eye(2, dtype=np.int64))


class Memory(Sink):
    """Remembers every call."""

    def __init__(self):
        super().__init__(Sink.Config(name="memory"))
        self.calls = []

    def open(self, paths, first_step):
        self.calls.append(("open", paths.folder, first_step))

    def scalars(self, step, values):
        self.calls.append(("scalars", step, dict(values)))

    def scores(self, step, network, scores, class_names):
        self.calls.append(("scores", step, network, scores.miou, list(class_names)))

    def rows(self, table, rows):
        self.calls.append((table, *map(dict, rows)))

    def text(self, line):
        self.calls.append(("text", line))

    def close(self):
        self.calls.append(("close",))


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def logger(memory, tmp_path):
    logger = Logger([memory], 8, ["a.png", "b.png"], ["sky", "sea"], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 3)
    assert memory.calls.pop() == ("open", tmp_path, 3)
    return logger


def test_metrics_are_averages_since_the_last_ones(logger, memory):
    for step, loss in ((4, 1.0), (5, 2.0)):
        logger.collect(step, StepReport({"labeled": torch.tensor(loss)}), None, images=4)
    metrics = logger.metrics(5, lr=0.1)
    assert metrics.report.losses == {"labeled": 1.5} and metrics.images_per_second > 0
    values = {"loss_labeled": 1.5, "lr": 0.1, "images_per_second": metrics.images_per_second}
    scalars, line = memory.calls
    assert scalars == ("scalars", 5, values)
    assert line[1].startswith("step 5/8  loss labeled 1.500  lr 0.1  ")
    logger.collect(6, StepReport({"labeled": torch.tensor(4.0)}), None, images=4)
    assert logger.metrics(6, lr=0.1).report.losses == {"labeled": 4.0}


def test_hardness_is_a_row_per_image(logger, memory):
    report = StepReport({}, easiness=torch.tensor([0.25, 1.0]))
    logger.collect(4, report, torch.tensor([1, 0]), images=4)
    logger.metrics(4, lr=0.1)
    assert memory.calls[0] == (
        "hardness",
        {"step": 4, "image": "b.png", "easiness": 0.25, "hardness": 0.75},
        {"step": 4, "image": "a.png", "easiness": 1.0, "hardness": 0.0},
    )
    memory.calls.clear()
    logger.metrics(5, lr=0.1)
    assert "hardness" not in {call[0] for call in memory.calls}


def test_scores_pseudo_labels_and_times_are_handed_on(logger, memory, capsys):
    logger.scores(4, {"teacher": SCORES}, {"teacher": 55.0})
    quality = PseudoQuality(0.5, 0.75, 0.8, 0.05, np.array([0.9, 0.1]))
    logger.pseudo_labels(4, quality, np.array([0.7, 0.3]))
    logger.times(4, {"data": 0.5, "steps": 2.0}, 1.5)
    logger.close()
    said = [call[1] for call in memory.calls if call[0] == "text"]
    assert capsys.readouterr().out.splitlines() == said
    assert said[0] == "step 4/8  val mIoU  teacher 50.00 (best 55.00)"
    assert [call for call in memory.calls if call[0] != "text"] == [
        ("scores", 4, "teacher", 50.0, ["sky", "sea"]),
        (
            "pseudo_labels",
            {
                "step": 4,
                "used": 0.5,
                "accuracy": 0.75,
                "confidence": 0.8,
                "calibration_error": 0.05,
            },
        ),
        (
            "pseudo_shares",
            {"step": 4, "class": "sky", "pseudo": 0.9, "labeled": 0.7},
            {"step": 4, "class": "sea", "pseudo": 0.1, "labeled": 0.3},
        ),
        ("times", {"step": 4, "data": 0.5, "steps": 2.0, "memory_gib": 1.5}),
        ("close",),
    ]


def test_only_the_first_process_writes_and_prints(memory, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("fewmask.parts.processes.rank", lambda: 1)
    logger = Logger([memory], 8, [], [], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    logger.collect(1, StepReport({"labeled": torch.tensor(1.0)}), None, images=4)
    assert logger.metrics(1, lr=0.1).report.losses == {"labeled": 1.0}
    logger.say("hello")
    logger.close()
    assert memory.calls == [] and capsys.readouterr().out == ""


def test_a_pause_does_not_slow_down_the_images_per_second(logger, monkeypatch):
    now = [logger.since]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    now[0] += 2
    with logger.paused():
        now[0] += 100
    logger.collect(4, StepReport({}), None, images=10)
    assert logger.metrics(4, lr=0.1).images_per_second == pytest.approx(5)


class Broken(Memory):
    """Fails at every score."""

    def scores(self, step, network, scores, class_names):
        raise TimeoutError("no answer")


def test_a_sink_of_the_user_that_fails_is_named_and_left_out(memory, tmp_path, capsys):
    broken = Broken()
    logger = Logger([broken, memory], 8, [], ["sky", "sea"], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    logger.scores(4, {"student": SCORES}, {"student": 50.0})
    logger.scores(8, {"student": SCORES}, {"student": 50.0})
    logger.close()
    assert "memory failed (TimeoutError: no answer)" in capsys.readouterr().out
    assert [call[1] for call in memory.calls if call[0] == "scores"] == [4, 8]
    assert ("close",) in memory.calls and ("close",) not in broken.calls


def test_a_run_folder_that_cannot_be_written_ends_the_run(tmp_path):
    logger = Logger(create_sinks(LoggingConfig()), 8, [], ["sky", "sea"], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    RunPaths(tmp_path).results.mkdir()
    with pytest.raises(OSError, match="results"):
        logger.scores(4, {"student": SCORES}, {"student": 50.0})


def test_only_what_was_opened_is_closed(memory, tmp_path):
    class Late(Memory):
        def open(self, paths, first_step):
            raise UserError("no address")

    logger = Logger([memory, Late(), Memory()], 8, [], ["sky"], torch.device("cpu"))
    with pytest.raises(UserError, match="no address"):
        logger.open(RunPaths(tmp_path), 0)
    logger.close()
    assert memory.calls[-1] == ("close",) and logger.sinks == [memory]


class Ticking(Clock):
    """Moves a logger on, step by step."""

    def take(self, logger, seconds, *steps):
        for step in steps:
            self.now += seconds
            logger.advance(step)


def progress_of(memory):
    return [call[1] for call in memory.calls if call[0] == "text"]


def test_every_step_counts_and_a_line_comes_after_a_while(memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 100, [], [], torch.device("cpu"), evaluate_every=50)
    logger.open(RunPaths(tmp_path), 0)
    clock.take(logger, 20, 1, 2, 3)
    assert progress_of(memory) == [
        "step 1/100  after 20 s",
        "step 3/100  after 1 min, about 32 min left, plus evaluations",
    ]
    # Nothing but lines: the numbers of a run do not depend on the time.
    assert {call[0] for call in memory.calls} == {"open", "text"}


def test_a_step_with_metrics_has_one_line(memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 10, [], [], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    clock.now += 40
    logger.metrics(1, lr=0.1)
    logger.advance(1)
    assert progress_of(memory) == ["step 1/10  lr 0.1  0.0 images/s  after 40 s"]


def test_an_evaluation_shows_its_images_and_the_estimate_counts_the_next_ones(
    memory, tmp_path, monkeypatch
):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 10, [], [], torch.device("cpu"), evaluate_every=5)
    logger.open(RunPaths(tmp_path), 0)
    clock.take(logger, 1, 1, 2, 3, 4, 5)
    with logger.paused():
        for _ in logger.tracks("teacher")(range(4)):
            clock.now += 25
    clock.take(logger, 1, 6)
    clock.take(logger, 30, 7)
    assert progress_of(memory)[1:] == [
        "teacher: val image 2/4  after 50 s, about 50 s left",
        "teacher: val image 4/4  after 1 min 40 s",
        "step 7/10  after 2 min 16 s, about 1 min 58 s left",
    ]


def test_a_long_run_is_announced_once_after_its_first_steps(memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 20_000, [], [], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    clock.take(logger, 1, 1, 2, 3, 4)
    assert len(progress_of(memory)) == 1
    clock.take(logger, 1, 5, 6, 7)
    (warning,) = progress_of(memory)[1:]
    assert "20,000 steps take about 5 h 33 min on this CPU" in warning


def test_slow_steps_announce_a_long_run_sooner(memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 200, [], [], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 0)
    clock.take(logger, 29, 1, 2)
    assert "take long" not in "".join(progress_of(memory))
    clock.take(logger, 29, 3)
    assert "200 steps take about 1 h 37 min on this CPU" in progress_of(memory)[-1]


@pytest.mark.parametrize(("runs", "is_long"), [(1, False), (6, True)])
def test_a_comparison_is_as_long_as_all_of_its_runs(runs, is_long, memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 1000, [], [], torch.device("cpu"), runs=runs)
    logger.open(RunPaths(tmp_path), 0)
    clock.take(logger, 1, *range(1, 9))
    assert ("6 such runs" in "".join(progress_of(memory))) == is_long


def test_a_resumed_run_is_not_announced_again(memory, tmp_path, monkeypatch):
    clock = Ticking(monkeypatch)
    logger = Logger([memory], 20_000, [], [], torch.device("cpu"))
    logger.open(RunPaths(tmp_path), 100)
    clock.take(logger, 17, *range(101, 120))
    assert "take long" not in "".join(progress_of(memory))
    assert progress_of(memory)[0] == "step 101/20000  after 17 s"
