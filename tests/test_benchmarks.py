"""The benchmarks run; what they measure is read by people, not by a test."""

from pathlib import Path

import pytest
import torch

benchmarks = pytest.importorskip("benchmarks", reason="only in a checkout")


def test_steps_of_methods_are_timed_and_weighed(capsys, monkeypatch):
    from benchmarks import steps

    monkeypatch.setattr(steps.limits, "SECONDS", 0.01)
    steps.main(["gta", "pcr"], encoder="test_resnet", crop=65, batch=2, rounds=1)
    printed = capsys.readouterr().out
    for method in ("mean teacher", "gta", "pcr"):
        line = next(line for line in printed.splitlines() if line.startswith(method))
        assert "ms a step" in line and "GiB" in line and "matrix rate" in line
    assert "one core" in printed


def test_a_step_of_every_method_is_timed(tmp_path):
    from benchmarks import steps
    from fewmask.methods import METHODS

    words = ["data=synthetic", "model.encoder=test_resnet", "loader.crop=65"]
    words += ["loader.labeled_batch=2", "loader.unlabeled_batch=2"]
    for name in (steps.YARDSTICK, *METHODS):
        step = steps.Step(name, words, str(tmp_path))
        assert step.seconds(1) > 0 and step.flop() > 1e9 and step.peak() > 0, name
        assert step.loading() > 0 and step.machine()[0] == step.device


def test_the_loader_is_timed_beside_the_reference(capsys):
    from benchmarks import loader

    loader.main(crop=65, rounds=1)
    printed = capsys.readouterr().out
    assert printed.count("times faster") == 4


def test_startup_is_timed(capsys):
    from benchmarks import startup

    startup.main(images=120)
    assert capsys.readouterr().out.count("to list and check") == 2


def test_a_pool_is_timed(capsys):
    from benchmarks import pool

    pool.main(names=1000, rounds=1)
    printed = capsys.readouterr().out
    assert "again, unchanged" in printed and "from a shard" in printed


def test_processes_are_timed(capsys):
    from benchmarks import processes

    processes.main(devices=1, encoder="test_resnet", crop=48, batch=2, steps=10, rounds=1)
    assert "efficiency" in capsys.readouterr().out


def test_the_limits_are_measured(capsys, monkeypatch):
    from benchmarks import limits

    monkeypatch.setattr(limits, "SECONDS", 0.01)
    limits.main()
    assert capsys.readouterr().out.count("/s") >= 5


def test_every_benchmark_is_a_command():
    from benchmarks.__main__ import app

    files = {f.stem for f in Path(benchmarks.__path__[0]).glob("[a-z]*.py")}
    assert {command.name for command in app.registered_commands} == files - {
        "apart",
        "reference",
        "record",
    }


def test_what_a_benchmark_prints_is_appended_to_the_page(tmp_path, capsys):
    from benchmarks.record import recorded

    page = tmp_path / "page.md"
    page.write_text("# Figures\n")
    with recorded(["loader", "--crop", "65"], page):
        print("labeled: 1 ms")
    with pytest.raises(ValueError), recorded(["broken"], page):
        print("half a figure")
        raise ValueError
    text = page.read_text()
    assert text.startswith("# Figures\n\n### 20")
    assert "`python -m benchmarks loader --crop 65`\n\n```\nlabeled: 1 ms\n```\n" in text
    assert "half" not in text and capsys.readouterr().out == "labeled: 1 ms\nhalf a figure\n"


def test_a_command_names_the_machine_and_records_itself(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from benchmarks import limits, record
    from benchmarks.__main__ import app

    monkeypatch.setattr(limits, "SECONDS", 0.01)
    pages = [tmp_path / "kept.md", tmp_path / "not.md"]
    for page, words in zip(pages, (["limits"], ["--no-keep", "limits"]), strict=True):
        monkeypatch.setattr(record, "PAGE", page)
        printed = CliRunner().invoke(app, words).output
        assert record.machine() in printed and "GB/s" in printed
    assert "GB/s" in pages[0].read_text() and not pages[1].exists()


def test_the_step_of_imas_is_the_reference_s(capsys, monkeypatch):
    from benchmarks import imas

    monkeypatch.setattr(imas.limits, "SECONDS", 0.01)
    imas.main(encoder="test_resnet", crop=65, batch=2, num_classes=3, rounds=1)
    printed = capsys.readouterr().out
    assert printed.count("times faster") == 8 and printed.count("peak memory") == 6


def test_the_reference_computes_the_easiness_of_the_paper():
    from benchmarks import reference
    from fewmask.methods.imas import easiness
    from fewmask.parts.pseudo_labels import pseudo_label

    torch.manual_seed(0)
    logits_s, logits_t = torch.randn(2, 3, 4, 9, 8)
    (conf_s, label_s), (conf_t, label_t) = (x.softmax(1).max(1) for x in (logits_s, logits_t))
    theirs = reference.easiness(label_s, conf_s, label_t, conf_t, 4)
    looks = pseudo_label(logits_s), pseudo_label(logits_t)
    ours = easiness(*looks, 4, reference.THRESHOLD).easiness
    torch.testing.assert_close(ours, theirs)
