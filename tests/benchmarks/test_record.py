"""What a JSON file holds."""

import json
import re
from dataclasses import replace

import pytest

from benchmarks import record, tables
from benchmarks.record import Figure, Result, figures, read

STORED = [
    file for folder in tables.RESULTS for file in sorted((tables.ROOT / folder).glob("*.json"))
]
RESULT = Result(
    name="loader",
    variant="",
    command="python -m benchmarks loader",
    date="2026-11-21",
    rounds=9,
    settings={"crop": 321},
    machine={"processor": "A (R) CPU", "cpu_threads": 2, "gpu": None, "system": "Linux x86_64"},
    versions=record.versions(),
    figures=(Figure("labeled", "ours", 1.85, "ms"), Figure("labeled", "speedup", 2.1, "x")),
)


def test_what_is_written_is_read_again(tmp_path):
    file = RESULT.write(tmp_path)
    assert file.name == "loader.a-r-cpu-2-threads.json" and read(file) == RESULT


def test_a_result_has_one_figure_per_line(tmp_path):
    lines = RESULT.write(tmp_path).read_text().splitlines()
    assert sum('"subject"' in line for line in lines) == len(RESULT.figures)


def test_another_machine_gets_another_file():
    other = replace(RESULT, machine={**RESULT.machine, "gpu": "NVIDIA H100"})
    assert other.file_name == "loader.a-r-cpu-2-threads-nvidia-h100.json"


@pytest.mark.parametrize("field", ["figures", "machine", "name"])
def test_a_file_without_a_field_is_refused(tmp_path, field):
    file = RESULT.write(tmp_path)
    fields = json.loads(file.read_text())
    del fields[field]
    file.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match="is not a result"):
        read(file)


def test_a_file_under_a_wrong_name_is_refused(tmp_path):
    file = RESULT.write(tmp_path)
    with pytest.raises(ValueError, match="should be named loader"):
        read(file.rename(tmp_path / "other.json"))


def test_a_figure_that_is_missing_is_named():
    assert RESULT.value("labeled", "speedup") == 2.1
    with pytest.raises(KeyError, match="unlabeled"):
        RESULT.value("unlabeled", "speedup")


def test_figures_are_rounded_to_what_timings_know():
    values = [5075.24, 57.84, 1.8349, 0.034567, 0.0, 10_000_000, -2.749]
    rounded = [record.rounded(value) for value in values]
    assert rounded == [5075, 57.8, 1.83, 0.0346, 0.0, 10_000_000, -2.75]
    assert figures("step", peak_memory=(2.7041, "GiB")) == [
        Figure("step", "peak memory", 2.7, "GiB")
    ]


def test_there_are_results():
    assert len(STORED) >= 10


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_a_stored_result_says_where_and_how_it_was_measured(file):
    result = read(file)
    assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", result.date)
    assert result.rounds is None or result.rounds > 0
    assert set(result.machine) == {"processor", "cpu_threads", "gpu", "system"}
    assert set(result.versions) == set(record.versions())
    assert result.versions["torch"] and result.versions["fewmask"]
    assert result.command.startswith(("python -m ", "fewmask "))
    # No path of a machine: whatever looks absolute.
    assert not re.search(r"[\s\"=](/|~|[A-Z]:\\)", file.read_text())
    assert result.figures
    for figure in result.figures:
        assert figure.subject and figure.quantity and isinstance(figure.unit, str)
        assert isinstance(figure.value, int | float) and not isinstance(figure.value, bool)
    places = [figure[:2] for figure in result.figures]
    assert len(set(places)) == len(places)
