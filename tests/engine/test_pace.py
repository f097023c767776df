"""The pace of the last items tells how long the others will take."""

import pytest

from fewmask.engine.pace import MARKS, Pace
from tests.engine.clock import Clock


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def at(pace, clock, seconds, *items):
    """Reaches each of the items, the same time after the one before."""
    for done in items:
        clock.now += seconds
        pace.reach(done)


def test_nothing_is_known_before_the_second_item_because_the_first_one_is_slow(clock):
    pace = Pace(10)
    assert pace.seconds_left() is None and pace.in_words() == "after 0 s"
    at(pace, clock, 100, 1)
    assert pace.seconds_left() is None and pace.in_words() == "after 1 min 40 s"
    at(pace, clock, 2, 2)
    assert pace.seconds_each == 2 and pace.seconds_left() == 16
    assert pace.in_words() == "after 1 min 42 s, about 16 s left"


def test_items_that_were_done_before_do_not_count_as_fast(clock):
    pace = Pace(10, done=6)
    at(pace, clock, 5, 7, 8)
    assert pace.seconds_each == 5 and pace.seconds_left() == 10


def test_the_recent_pace_counts(clock):
    pace = Pace(1000)
    at(pace, clock, 1, *range(1, 101))
    at(pace, clock, 4, *range(101, 101 + MARKS))
    assert pace.seconds_each == pytest.approx(4)


def test_fast_items_are_judged_over_many_of_them(clock):
    pace = Pace(10_000)
    at(pace, clock, 0.01, *range(1, 1001))
    clock.now += 0.01 * 50  # a hiccup
    pace.reach(1001)
    assert pace.seconds_each == pytest.approx(10.5 / 1000, rel=0.02)


def test_to_reach_the_same_item_again_changes_nothing(clock):
    pace = Pace(10)
    at(pace, clock, 1, 1, 2)
    clock.now += 50
    pace.reach(2)
    assert pace.seconds_each == 1


def test_evaluations_are_left_out_of_the_pace_and_counted_in_the_estimate(clock):
    pace = Pace(10, pause_every=4)  # evaluations after 4, 8 and 10
    at(pace, clock, 1, 1, 2, 3, 4)
    assert pace.in_words() == "after 4 s, about 6 s left, plus evaluations"
    with pace.paused():
        clock.now += 20
    at(pace, clock, 1, 5)
    assert pace.seconds_each == 1 and pace.seconds_left() == 5 + 2 * 20
    assert pace.in_words() == "after 25 s, about 45 s left"
    at(pace, clock, 1, 6, 7, 8, 9)
    assert pace.seconds_left() == 1 + 20


def test_a_checkpoint_between_evaluations_is_no_evaluation(clock):
    pace = Pace(8, pause_every=4)
    at(pace, clock, 1, 1, 2)
    with pace.paused():
        clock.now += 3
    assert pace.pauses == 0 and pace.in_words().endswith("left, plus evaluations")
    at(pace, clock, 1, 3, 4)
    with pace.paused():
        clock.now += 7
    assert pace.pauses == 1 and pace.seconds_left() == 4 + 10


def test_at_the_end_only_the_time_that_it_took_is_told(clock):
    pace = Pace(2, pause_every=2)
    at(pace, clock, 40, 1, 2)
    assert pace.in_words() == "after 1 min 20 s"
