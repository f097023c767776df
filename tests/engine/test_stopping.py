"""A stop signal is noted once; a second one stops at once."""

import signal

import pytest
import torch

from fewmask.engine.stopping import StopSignals, signals_reach_children
from fewmask.parts import processes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_one_stops(number):
    stop, before = StopSignals(torch.device("cpu")), signal.getsignal(number)
    with stop.listen():
        assert not stop.agree_to_stop(1)
        signal.raise_signal(number)
        assert stop.agree_to_stop(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == before


class Twin:
    """Another process, whose numbers equal those of this one except for the first one."""

    def __init__(self, monkeypatch, received=0.0):
        self.received = received
        monkeypatch.setattr(processes, "world_size", lambda: 2)
        monkeypatch.setattr(processes, "total", self.total)

    def total(self, facts):
        self.asked = True
        return facts * 2 + torch.tensor([self.received, 0.0])


@pytest.mark.parametrize(("seconds", "wait"), [(0.001, 10), (0.5, 4), (60, 1)])
def test_processes_ask_one_another_about_every_two_seconds(seconds, wait, monkeypatch):
    twin, stop, now = Twin(monkeypatch), StopSignals(torch.device("cpu")), [0.0]
    monkeypatch.setattr("fewmask.engine.stopping.time.monotonic", lambda: now[0])
    asked = []
    for step in range(100, 125):
        twin.asked = False
        assert not stop.agree_to_stop(step)
        asked += [step] if twin.asked else []
        now[0] += seconds
    assert asked[:2] == [100, 101] and asked[2] - asked[1] == wait


def test_a_signal_to_one_process_stops_all(monkeypatch):
    twin, stop = Twin(monkeypatch), StopSignals(torch.device("cpu"))
    assert not stop.agree_to_stop(1)
    twin.received = 1.0
    assert stop.agree_to_stop(2) and stop.number == signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_parent_passes_a_signal_on_and_outlives_it(number, monkeypatch):
    class Child:
        ended = 0

        def terminate(self):
            self.ended += 1

    child, before = Child(), signal.getsignal(number)
    monkeypatch.setattr("multiprocessing.active_children", lambda: [child])
    with signals_reach_children() as received:
        signal.raise_signal(number)
        assert received == [number] and child.ended == 1
    assert signal.getsignal(number) == before
