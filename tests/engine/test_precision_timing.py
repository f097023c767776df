"""The faster precision is measured once, and remembered."""

import json
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fewmask.engine.precision_timing import Timing, Workload, time_precisions
from fewmask.models import create_model
from tests.conftest import TINY

REHEARSAL = Workload("a tiny network", (2, 3, 33, 33), threads=1)


def tiny():
    return create_model(TINY, num_classes=3)


def no_network():
    pytest.fail("measured again")


class Clockwork(nn.Module):
    """Takes some seconds of a clock that stands still otherwise, more in one of the precisions."""

    def __init__(self, bf16, fp32):
        super().__init__()
        self.seconds, self.now, self.steps = {True: bf16, False: fp32}, 0.0, 0
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images):
        self.now += self.seconds[torch.is_autocast_enabled("cpu")]
        self.steps += 1
        return SimpleNamespace(logits=self.weight * images)


@pytest.mark.parametrize(
    ("seconds", "faster", "steps"),
    [
        ((1.2, 1.0), "fp32", 2 + 2 * 5),
        ((9.0, 3.0), "fp32", 2 + 2 * 2),  # 24 s are enough
        ((9.0, 60.0), "bf16", 2),  # so are the 69 s of the warm-up
    ],
)
def test_several_steps_are_timed_but_not_for_long(monkeypatch, seconds, faster, steps):
    network = Clockwork(*seconds)
    monkeypatch.setattr(time, "perf_counter", lambda: network.now)
    timing, is_new = time_precisions(REHEARSAL, lambda: network)
    assert timing == pytest.approx(seconds) and timing.faster == faster and is_new
    assert network.steps == steps


class HeldUp(Clockwork):
    """Takes seven seconds more in its third step."""

    def forward(self, images):
        output = super().forward(images)
        self.now += 7.0 * (self.steps == 3)
        return output


def test_a_step_that_something_else_holds_up_does_not_count(monkeypatch):
    network = HeldUp(1.0, 2.0)
    monkeypatch.setattr(time, "perf_counter", lambda: network.now)
    timing, _ = time_precisions(REHEARSAL, lambda: network)
    assert timing == pytest.approx((1.0, 2.0))


def test_what_was_measured_is_not_measured_again():
    first, is_new = time_precisions(REHEARSAL, tiny)
    assert is_new and min(first) > 0
    assert time_precisions(REHEARSAL, no_network) == (first, False)


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"bf16": -1, "fp32": 1}', "\x80"])
def test_a_damaged_file_is_measured_again(content):
    file = REHEARSAL.file()
    file.parent.mkdir(parents=True)
    file.write_bytes(content.encode("latin-1"))
    timing, is_new = time_precisions(REHEARSAL, tiny)
    assert is_new and json.loads(file.read_text()) == timing._asdict()


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert time_precisions(REHEARSAL, tiny)[1] and time_precisions(REHEARSAL, tiny)[1]


def test_random_numbers_and_threads_stay_as_they_were():
    torch.manual_seed(5)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    time_precisions(REHEARSAL._replace(threads=threads + 1), tiny)
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == threads


def test_everything_that_counts_has_a_file_of_its_own(monkeypatch):
    others = [
        REHEARSAL._replace(network="another"),
        REHEARSAL._replace(images=(2, 3, 65, 65)),
        REHEARSAL._replace(threads=2),
    ]
    files = {rehearsal.file() for rehearsal in (REHEARSAL, *others)}
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert len(files | {REHEARSAL.file()}) == 5


def test_a_rehearsal_takes_few_images_but_two():
    assert Workload.of("", (4, 3, 145, 145), 1).images == (4, 3, 145, 145)
    assert Workload.of("", (16, 3, 256, 256), 1).images == (4, 3, 256, 256)
    assert Workload.of("", (16, 3, 769, 769), 1).images == (2, 3, 769, 769)
    assert Workload.of("", (1, 3, 65, 65), 1).images == (2, 3, 65, 65)


def test_the_faster_one_is_named_first():
    assert Timing(0.16, 0.239).in_words() == "bf16: 160 ms a step, fp32 239 ms"
    assert Timing(0.29, 0.239).in_words() == "fp32: 239 ms a step, bf16 290 ms"
