"""Waiting ends."""

import threading

import pytest

from fewmask.data.deadline import within


def test_a_result_and_an_error_come_through():
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


def test_work_that_hangs_is_left_alone():
    ends = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0.05 seconds"):
        within(0.05, ends.wait)
    ends.set()


def test_work_that_moves_may_go_on():
    ends, moved = threading.Event(), []

    def work() -> int:
        while not ends.wait(0.01):
            moved.append(1)
            if len(moved) == 20:
                return 3
        return 0

    assert within(0.05, work, lambda: len(moved)) == 3
