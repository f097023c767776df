"""A stop signal is noted once; a second one stops at once."""

import signal

import pytest
import torch

from fewmask.engine.stopping import StopSignals, signals_reach_children


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


def test_a_parent_outlives_ctrl_c_while_its_children_save():
    before = signal.getsignal(signal.SIGINT)
    with signals_reach_children():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) == before
