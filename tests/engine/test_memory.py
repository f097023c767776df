"""Peaks of memory are seen and forgotten; what is freed is kept, if asked for."""

import subprocess
import sys

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.runs import build
from fewmask.tasks.rehearse import rehearse
from tests.conftest import TINY_WORDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and listens")


def alone(program: str) -> list[float]:
    """Runs a program that prints numbers, in a process of its own: memory is the process's."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


def test_a_peak_is_seen_and_forgotten():
    before, during, after = alone("""
import numpy as np, torch
from fewmask.engine.memory import forget_peak_memory, peak_memory
cpu = torch.device("cpu")
forget_peak_memory(cpu)
print(peak_memory(cpu))
block = np.ones(2**25)  # 256 MiB
print(peak_memory(cpu))
del block
forget_peak_memory(cpu)
print(peak_memory(cpu))
""")
    assert during > before + 0.2
    assert after < before + 0.1


def test_freed_memory_is_used_again():
    returned, kept = alone("""
import resource, torch
from fewmask.engine.memory import keep_freed_memory
from fewmask.tasks.rehearse import rehearse
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**24)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults())
keep_freed_memory()
faults()
print(faults())
""")
    assert kept < returned / 20


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_keeps_freed_memory_unless_memory_comes_first(checkpointing, monkeypatch):
    asked = []
    monkeypatch.setattr(build, "keep_freed_memory", lambda: asked.append(True))
    words = ("method=supervised", "model.encoder=test_resnet")
    option = f"model.checkpointing={checkpointing}".lower()
    rehearse(recipe_from_words(["synthetic", *TINY_WORDS, *words, option]))
    assert bool(asked) is not checkpointing
