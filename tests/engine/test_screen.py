"""Without a terminal a screen prints a line now and then; in one it shows bars."""

import pytest
from rich.console import Console

from fewmask.engine import screen
from fewmask.engine.pace import Pace
from fewmask.engine.screen import Activity, Screen
from tests.engine.clock import Clock


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 characters, however the tests are run."""
    console = Console(force_terminal=True, width=80)
    monkeypatch.setattr(screen, "Console", lambda **options: console)


def test_plain_lines_keep_brackets_and_there_is_no_bar(capsys):
    with Screen() as shown:
        shown.text("[red]folder[/red]")
        assert shown.bars is None
    assert capsys.readouterr().out == "[red]folder[/red]\n"


def test_a_terminal_gets_a_bar_that_moves_with_each_step(terminal, clock, capsys):
    with Screen() as shown:
        steps = Activity(shown, "step", Pace(10, done=4))
        clock.now += 9
        steps.reach(5)
        clock.now += 3
        steps.reach(6)
        shown.bars.refresh()
        text = capsys.readouterr().out
    assert "step 6/10" in text and "after 12 s, about 12 s left" in text


def test_a_line_that_is_too_long_for_a_terminal_keeps_its_time(terminal, clock, capsys):
    with Screen() as shown:
        steps = Activity(shown, "step", Pace(20_000))
        steps.reach(1)
        clock.now += 3
        steps.report(2, "loss " + "labeled 1.234, " * 9)
        shown.bars.refresh()
        text = capsys.readouterr().out
    assert "step 2/20000" in text and "after 3 s, about 17 h left  loss lab" in text and "…" in text


def test_where_there_is_no_terminal_a_line_comes_after_thirty_silent_seconds(clock):
    lines = []
    with Screen(lines.append) as shown:
        steps = Activity(shown, "step", Pace(100))
        for done in range(1, 9):
            clock.now += 10
            steps.reach(done)
            if done == 4:
                shown.text("something else")  # breaks the silence as well
    assert lines == [
        "step 3/100  after 30 s, about 16 min left",
        "step 7/100  after 1 min 10 s, about 16 min left",
    ]


def test_the_first_line_can_come_at_once(clock):
    lines = []
    with Screen(lines.append) as shown:
        steps = Activity(shown, "step", Pace(100), at_once=True)
        for done in (1, 2):
            clock.now += 1
            steps.reach(done)
    assert lines == ["step 1/100  after 1 s"]


def test_a_report_is_a_line_of_its_own_and_breaks_the_silence(clock):
    lines = []
    with Screen(lines.append) as shown:
        steps = Activity(shown, "step", Pace(100), at_once=True)
        clock.now += 40
        steps.report(1, "loss 0.5")
        steps.reach(1)
        clock.now += 20
        steps.reach(2)
    assert lines == ["step 1/100  loss 0.5  after 40 s"]


def test_short_work_says_nothing_and_long_work_tells_where_it_is(clock, capsys):
    def work(seconds):
        with Screen() as shown:
            for _ in shown.track("ranking image", "abcde"):
                clock.now += seconds

    work(1)
    assert capsys.readouterr().out == ""
    work(20)
    assert capsys.readouterr().out.splitlines() == [
        "ranking image 2/5  after 40 s, about 1 min left",
        "ranking image 4/5  after 1 min 20 s, about 20 s left",
    ]


def test_what_is_tracked_is_passed_on_and_its_bar_goes_away(terminal):
    with Screen() as shown:
        Activity(shown, "step", Pace(10))
        seen, bars = [], []
        for item in shown.track("val image", "ab"):
            seen.append(item)
            bars.append([task.description for task in shown.bars.tasks])
        assert seen == ["a", "b"] and bars == [["step", "val image"]] * 2
        assert [task.description for task in shown.bars.tasks] == ["step"]


def test_a_mistake_in_the_middle_removes_the_bars(terminal):
    with pytest.raises(ValueError, match="mistake"), Screen() as shown:
        for _ in shown.track("ranking image", "ab"):
            assert shown.bars.live.is_started
            raise ValueError("mistake")
    assert not shown.bars.live.is_started


def test_a_screen_on_which_nothing_goes_on_leaves_the_terminal_alone(terminal, capsys):
    """Processes of a run share a terminal, and one of them shows the bars."""
    with Screen():
        pass
    assert capsys.readouterr().out == ""
