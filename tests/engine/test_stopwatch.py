"""Seconds go to the activity they were spent on."""

import time

from fewmask.engine.stopwatch import Stopwatch


def test_seconds_go_to_their_activity():
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
