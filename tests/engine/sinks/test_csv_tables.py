"""CSV tables keep every complete row of the steps that a resumed run does not take again."""

import csv

import numpy as np
import pytest

from fewmask.engine.sinks import Sink
from fewmask.engine.sinks.csv_tables import CsvTables
from fewmask.evaluation import Scores
from fewmask.run_folder.paths import RunPaths


def opened(folder, first_step=0):
    sink = CsvTables(Sink.Config(name="csv"))
    sink.open(RunPaths(folder), first_step)
    return sink


def rows(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_scores_are_rounded_and_split_by_class(tmp_path):
    scores = Scores(50.12346, 90.0, (60.0, float("nan")), np.eye(2, dtype=np.int64))
    opened(tmp_path).scores(4, "teacher", scores, ["sky", "sea"])
    assert rows(tmp_path / "results.csv") == [
        ["step", "network", "miou", "pixel_accuracy"],
        ["4", "teacher", "50.1235", "90.0000"],
    ]
    assert rows(tmp_path / "per_class.csv")[1:] == [
        ["4", "teacher", "sky", "60.0000"],
        ["4", "teacher", "sea", "nan"],
    ]


@pytest.mark.parametrize(
    ("table", "text"),
    [("hardness", "0.123457"), ("times", "0.123"), ("pseudo_labels", "0.1235")],
)
def test_each_table_has_its_own_decimals_and_whole_numbers_have_none(table, text, tmp_path):
    opened(tmp_path).rows(table, [{"step": 3, "value": 0.123456789}])
    assert rows(tmp_path / f"{table}.csv") == [["step", "value"], ["3", text]]


def test_later_rows_and_cut_off_rows_are_dropped(tmp_path):
    (tmp_path / "times.csv").write_text("step,data\n1,0.1\n2,0.2\n3,0.3\nx,1\n2")
    opened(tmp_path, first_step=2).rows("times", [{"step": 3, "data": 0.5}])
    assert rows(tmp_path / "times.csv") == [
        ["step", "data"], ["1", "0.1"], ["2", "0.2"], ["3", "0.500"],
    ]  # fmt: skip


def test_a_file_that_a_kill_left_without_a_header_gets_one(tmp_path):
    (tmp_path / "times.csv").write_text("")
    sink = opened(tmp_path, first_step=2)
    assert not (tmp_path / "times.csv").exists()
    sink.rows("times", [{"step": 3, "data": 0.5}])
    assert rows(tmp_path / "times.csv")[0] == ["step", "data"]


def test_no_rows_make_no_file(tmp_path):
    opened(tmp_path).rows("hardness", [])
    assert list(tmp_path.iterdir()) == []


def test_a_cut_off_head_is_written_again(tmp_path):
    (tmp_path / "times.csv").write_text("step,da")
    opened(tmp_path, first_step=2).rows("times", [{"step": 3, "data": 0.5}])
    assert rows(tmp_path / "times.csv") == [["step", "data"], ["3", "0.500"]]
