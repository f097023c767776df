"""A command prints its figures and keeps them in a JSON file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.commands import application, recorded
from benchmarks.record import Figure, described, figures, machine, read, versions


def weigh(
    root: Annotated[Path | None, typer.Option()] = None, crop: int = 321, rounds: int = 5
) -> Iterator[list[Figure]]:
    """Weigh something."""
    yield figures("labeled", ours=(1.0, "ms"))


def broken() -> Iterator[list[Figure]]:
    """Fail half-way."""
    yield figures("half", ours=(1.0, "ms"))
    raise ValueError


def run(folder, *words):
    app = application("benchmarks", {"weigh": weigh, "broken": broken}, folder)
    return CliRunner().invoke(app, words)


def test_a_command_prints_machine_and_figures_and_keeps_them(tmp_path):
    printed = run(tmp_path, "weigh", "--crop", "65").output
    assert described(machine(), versions()) in printed and "labeled: ours 1.0 ms" in printed
    (file,) = tmp_path.iterdir()
    result = read(file)
    assert result.command == "python -m benchmarks weigh --crop 65"
    assert result.figures == (Figure("labeled", "ours", 1.0, "ms"),)
    assert result.settings == {"root": None, "crop": 65} and result.rounds == 5


def test_no_keep_prints_only(tmp_path):
    assert "labeled" in run(tmp_path, "--no-keep", "weigh").output
    assert not list(tmp_path.iterdir())


def test_what_fails_is_not_kept(tmp_path):
    result = run(tmp_path, "broken")
    assert isinstance(result.exception, ValueError) and "half" in result.output
    assert not list(tmp_path.iterdir())


def test_the_results_of_a_command_can_go_elsewhere(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    run(tmp_path / "usual", "--results", str(elsewhere), "weigh")
    assert len(list(elsewhere.iterdir())) == 1 and not (tmp_path / "usual").exists()


def test_other_options_get_another_file_and_more_rounds_do_not():
    names = [
        recorded("benchmarks", "weigh", weigh)(**{"crop": 321, "rounds": 5, **options}).file_name
        for options in ({}, {"rounds": 9}, {"crop": 65})
    ]
    assert names[0] == names[1] and names[2].startswith("weigh-crop-65.")


def test_a_path_is_named_but_not_told(tmp_path):
    result = recorded("benchmarks", "weigh", weigh)(root=tmp_path, crop=321, rounds=5)
    assert result.command == "python -m benchmarks weigh --root ROOT"
    assert result.settings["root"] == "ROOT" and result.variant == "root"


def test_a_required_option_is_no_variant(tmp_path):
    def camvid(root: Path, steps: int = 3000) -> Iterator[list[Figure]]:
        yield figures("supervised", mean_mIoU=(50.0, "%"))

    result = recorded("experiments", "camvid", camvid)(root=tmp_path, steps=3000)
    assert result.command == "python -m experiments camvid --root ROOT" and result.variant == ""


@pytest.mark.usefixtures("quick_limits")
def test_a_real_command_records_itself(tmp_path):
    from benchmarks.__main__ import app

    kept, not_kept = tmp_path / "kept", tmp_path / "not"
    words = [["--results", str(kept)], ["--results", str(not_kept), "--no-keep"]]
    for options in words:
        printed = CliRunner().invoke(app, [*options, "limits"]).output
        assert described(machine(), versions()) in printed and "GB/s" in printed
    (file,) = kept.iterdir()
    assert "GB/s" in file.read_text() and not not_kept.exists()
