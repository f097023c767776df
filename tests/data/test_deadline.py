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
