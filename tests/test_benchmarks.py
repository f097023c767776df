"""The benchmarks run; what they measure is read by people, not by a test."""

from pathlib import Path

import pytest

benchmarks = pytest.importorskip("benchmarks", reason="only in a checkout")


def test_steps_of_all_methods_run(capsys):
    from benchmarks import steps

    steps.main(encoder="test_resnet", crop=65, batch=2, num_classes=3, rounds=1)
    printed = capsys.readouterr().out
    assert "mean teacher" in printed and "pseudoseg" in printed


def test_the_loader_is_timed_beside_the_reference(capsys):
    from benchmarks import loader

    loader.main(crop=65, rounds=1)
    printed = capsys.readouterr().out
    assert printed.count("times faster") == 2


def test_every_benchmark_is_a_command():
    from benchmarks.__main__ import app

    files = {f.stem for f in Path(benchmarks.__path__[0]).glob("[a-z]*.py")}
    assert {command.name for command in app.registered_commands} == files
