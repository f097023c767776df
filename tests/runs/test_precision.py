"""`auto` becomes the faster precision on a CPU, and stands in the recipe of the run."""

import pytest
import torch

from fewmask.cli.words import comparison_recipes, recipe_from_words
from fewmask.engine.precision_timing import Timing
from fewmask.errors import UserError
from fewmask.runs import precision
from fewmask.runs.precision import settle_precision
from fewmask.tasks import compare, train
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS

WORDS = ("synthetic", *TINY_WORDS, "training.precision=auto", "training.steps=2")
START = "Timing a few steps in bf16 and in fp32, to take the faster one ..."
SLOW_BF16, FAST_BF16 = Timing(2.0, 1.0), Timing(1.0, 2.0)


@pytest.fixture(autouse=True)
def fast_bf16(monkeypatch):
    """As on a CPU with instructions for bf16."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)


def measured(monkeypatch, *timings):
    """Gives these times one after the other instead of measuring."""
    left = [*timings]
    monkeypatch.setattr(precision, "time_precisions", lambda *_: (left.pop(0), True))


def settled(*words):
    notes = []
    recipe = settle_precision(recipe_from_words([*WORDS, *words]), 3, notes.append)
    return recipe.training.precision, notes


@pytest.mark.parametrize(("timing", "faster"), [(SLOW_BF16, "fp32"), (FAST_BF16, "bf16")])
def test_the_faster_precision_is_taken_and_told(monkeypatch, timing, faster):
    measured(monkeypatch, timing)
    chosen, (start, note) = settled()
    assert chosen == faster and start == START
    assert note.startswith(f"Precision {timing.in_words()}, measured on this machine. To choose: ")


def test_a_real_measurement_is_remembered():
    first, (start, note) = settled()
    assert start == START
    again, (later,) = settled("method=supervised", "seed=3")
    assert first == again and first in ("bf16", "fp32")
    assert later == note.replace("measured on", "measured earlier on")


def test_nothing_is_measured_where_there_is_no_choice(monkeypatch):
    measured(monkeypatch)  # another call would fail
    assert settled("training.precision=bf16") == ("bf16", [])
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert settled() == ("bf16", [])
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert settled() == ("fp32", [])


def test_on_a_gpu_auto_stays(monkeypatch):
    measured(monkeypatch)
    monkeypatch.setattr(precision, "choose_accelerator", lambda machine: "cuda")
    assert settled() == ("auto", [])


def test_a_mistake_of_the_user_is_reported():
    with pytest.raises(UserError, match="machine.devices=9999"):
        settled("machine.devices=9999")
    with pytest.raises(UserError, match="timm has no such model"):
        settled("model.encoder=resnet1")


class Broken(torch.nn.Module):
    """An encoder with a mistake in its forward pass."""

    def __init__(self, output_stride=32):
        super().__init__()
        self.channels, self.strides = [4, 6, 8, 8], [4, 8, 16, 32]

    def forward(self, image):
        """Fails."""
        raise ZeroDivisionError


def test_a_network_that_fails_is_left_to_the_checks_of_training():
    assert settled("model.encoder=tests.runs.test_precision:Broken") == ("bf16", [START])


def test_the_choice_is_part_of_the_run_and_not_made_again(tmp_path, monkeypatch):
    measured(monkeypatch, SLOW_BF16)
    words = [*WORDS, "method=supervised"]
    run = train.train(recipe_from_words(words), tmp_path / "run", tell=lambda note: None)
    assert run.recipe.training.precision == "fp32"
    resumed = train.resume(run.folder, {"training": {"steps": 3}})
    assert resumed.is_finished and resumed.recipe.training.precision == "fp32"
    rehearsal = rehearse(run.recipe, tell=lambda note: None)
    assert rehearsal.recipe.training.precision == "fp32"


def test_all_runs_of_a_comparison_have_one_precision(tmp_path, monkeypatch, capsys):
    measured(monkeypatch, SLOW_BF16)
    first = compare.compare(comparison_recipes(WORDS, ["supervised"], range(1)), tmp_path)
    both = compare.compare(comparison_recipes(WORDS, ["supervised", "imas"], range(1)), tmp_path)
    assert first is not None and both is not None
    assert capsys.readouterr().out.count("already finished") == 1
    for name in ("supervised-seed0", "imas-seed0"):
        assert "precision: fp32" in (tmp_path / name / "recipe.yaml").read_text()


def test_runs_of_a_gpu_go_on_in_the_precision_of_the_cpu(tmp_path, monkeypatch):
    """Their recipes say `auto`, which is no other setting."""
    measured(monkeypatch, SLOW_BF16, SLOW_BF16)
    words = ["supervised"], range(1)
    compare.compare(comparison_recipes(WORDS, *words), tmp_path)
    recipe = tmp_path / "supervised-seed0" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("precision: fp32", "precision: auto"))
    assert compare.compare(comparison_recipes(WORDS, *words), tmp_path) is not None
