"""metrics.jsonl keeps every whole line of the steps that a resumed run does not take again."""

import json

from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.jsonl_metrics import JsonlMetrics
from fewmask.run_folder.paths import RunPaths


def opened(folder, first_step=0):
    sink = JsonlMetrics(Sink.Config(name="jsonl"))
    sink.open(RunPaths(folder), first_step)
    return sink


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_holds_the_step_and_its_metrics(tmp_path):
    opened(tmp_path).scalars(20, {"loss_labeled": 0.5, "lr": 0.001})
    assert lines(tmp_path) == [{"step": 20, "loss_labeled": 0.5, "lr": 0.001}]


def test_later_lines_and_damaged_lines_are_dropped(tmp_path):
    whole = "".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 3))
    (tmp_path / "metrics.jsonl").write_text(whole + '[]\n{"lr": 1}\n{"step": 2, "lo')
    opened(tmp_path, first_step=2).scalars(3, {"lr": 0.1})
    assert lines(tmp_path) == [{"step": 1}, {"step": 2}, {"step": 3, "lr": 0.1}]


def test_a_file_of_which_nothing_is_left_goes(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 5}\n')
    opened(tmp_path, first_step=2)
    assert not (tmp_path / "metrics.jsonl").exists()
