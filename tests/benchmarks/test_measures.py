"""Every benchmark runs. People read what they measure; a test does not."""

from pathlib import Path

import pytest
import torch

linux = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").is_file(), reason="memory is read from Linux's /proc"
)


def by_subject(rows):
    """The quantities of each subject, by name."""
    subjects = {}
    for row in rows:
        for figure in row:
            assert figure.value >= 0, figure
            subjects.setdefault(figure.subject, {})[figure.quantity] = figure
    return subjects


@pytest.mark.usefixtures("quick_limits")
def test_steps_of_methods_are_timed_and_weighed():
    from benchmarks import steps

    rows = steps.measure(["gta", "pcr"], encoder="test_resnet", crop=65, batch=2, rounds=1)
    found = by_subject(rows)
    assert list(found) == ["mean teacher", "gta", "pcr"]
    for method in found.values():
        assert method["step"].unit == "ms" and method["peak memory"].unit == "GiB"
        assert any("matrix rate" in quantity for quantity in method)
        assert method["batch loaded by one core"].value > 0


def test_a_step_of_every_method_is_timed(tmp_path):
    from benchmarks.method_step import YARDSTICK, Step
    from fewmask.methods import METHODS

    words = ["data=synthetic", "model.encoder=test_resnet", "loader.crop=65"]
    words += ["loader.labeled_batch=2", "loader.unlabeled_batch=2"]
    for name in (YARDSTICK, *METHODS):
        step = Step(name, words, str(tmp_path))
        assert step.seconds(1) > 0 and step.flop() > 1e9 and step.peak() > 0, name
        assert step.loading() > 0 and step.machine()[0] == step.device


@linux
def test_encoders_are_timed_and_weighed():
    from benchmarks import encoders

    (row,) = encoders.measure(["test_resnet"], crop=65, batch=2, rounds=1, steps=1)
    found = by_subject([row])["test_resnet"]
    assert found["iMAS step"].value > found["supervised step"].value / 2
    assert found["parameters"].value > 0 and found["peak memory, iMAS"].value > 0


def test_steps_of_encoders_are_compared_in_both_precisions():
    from benchmarks import depthwise

    options = {"crop": 33, "batch": 2, "channels": 8, "rounds": 1}
    found = by_subject(depthwise.measure(["mobilenetv3_small_050"], **options))
    assert [*found] == [f"mobilenetv3_small_050, {name}" for name in ("fp32", "bf16")]
    for values in found.values():
        assert values["step"].unit == "ms" and values["speedup"].unit == "x"


def test_the_loader_is_compared_with_the_reference():
    from benchmarks import loader

    found = by_subject(loader.measure(crop=65, rounds=1))
    assert len(found) == 4 and all("speedup" in values for values in found.values())


def test_startup_is_timed():
    from benchmarks import startup

    found = by_subject(startup.measure(images=120))
    assert len(found) == 2 and all("list and check" in values for values in found.values())


@linux
def test_a_pool_is_timed():
    from benchmarks import pool

    found = by_subject(pool.measure(names=1000, rounds=1))
    assert "1,000 names, again, unchanged" in found
    assert any("from a tar shard" in values for values in found.values())


def test_processes_are_timed():
    from benchmarks import processes

    options = {"devices": 1, "encoder": "test_resnet", "crop": 48, "batch": 2}
    found = by_subject(processes.measure(**options, steps=10, rounds=1))
    assert all(values["efficiency"].value > 0 for values in found.values()) and found


@pytest.mark.usefixtures("quick_limits")
def test_the_limits_are_measured():
    from benchmarks import limits

    found = by_subject(limits.measure())
    assert sum(values["rate"].unit.endswith("/s") for values in found.values()) >= 5


@linux
@pytest.mark.usefixtures("quick_limits")
def test_the_step_of_imas_is_compared_with_the_reference():
    from benchmarks import imas

    options = {"encoder": "test_resnet", "crop": 65, "batch": 2, "num_classes": 3}
    found = by_subject(imas.measure(**options, rounds=1))
    assert sum("speedup" in values for values in found.values()) == 8
    assert sum("peak memory" in values for values in found.values()) == 6


def test_the_reference_computes_the_easiness_of_the_paper():
    from benchmarks.reference import imas as reference
    from fewmask.methods.imas import easiness
    from fewmask.parts.pseudo_labels import pseudo_label

    torch.manual_seed(0)
    logits_s, logits_t = torch.randn(2, 3, 4, 9, 8)
    (conf_s, label_s), (conf_t, label_t) = (x.softmax(1).max(1) for x in (logits_s, logits_t))
    theirs = reference.easiness(label_s, conf_s, label_t, conf_t, 4)
    predictions = pseudo_label(logits_s), pseudo_label(logits_t)
    ours = easiness(*predictions, 4, reference.THRESHOLD).easiness
    torch.testing.assert_close(ours, theirs)


def test_every_file_that_measures_is_a_command():
    import benchmarks
    from benchmarks.__main__ import COMMANDS, app

    folder = Path(benchmarks.__path__[0])
    measuring = {f.stem for f in folder.glob("[a-z]*.py") if "\ndef measure(" in f.read_text()}
    assert set(COMMANDS) == measuring
    assert {command.name for command in app.registered_commands} == measuring | {"tables"}
