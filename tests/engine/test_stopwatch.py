"""Seconds go to the part they were spent in; a peak can be forgotten."""

import sys
import time

import numpy as np
import pytest
import torch

from fewmask.engine.stopwatch import Stopwatch, forget_peak_memory, peak_memory


def test_seconds_go_to_their_part():
    clock = Stopwatch()

    def slow():
        for i in range(3):
            time.sleep(0.02)
            yield i

    got = []
    for i in clock.waiting(slow()):
        with clock.measure("steps"):
            time.sleep(0.05)
        got.append(i)
    seconds = clock.take()
    assert got == [0, 1, 2]
    assert seconds["data"] >= 0.06 and seconds["steps"] >= 0.15
    assert seconds["evaluation"] == seconds["saving"] == 0
    assert sum(clock.take().values()) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_peak_is_seen_and_forgotten():
    cpu = torch.device("cpu")
    forget_peak_memory(cpu)
    before = peak_memory(cpu)
    block = np.ones(2**25)  # 256 MiB
    assert peak_memory(cpu) > before + 0.2
    del block
    forget_peak_memory(cpu)
    assert peak_memory(cpu) < before + 0.1
