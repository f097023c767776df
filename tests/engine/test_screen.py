"""Without a terminal a screen prints plain lines; in one it shows a bar."""

from rich.console import Console

from fewmask.engine import screen
from fewmask.engine.screen import Screen


def test_plain_lines_keep_brackets_and_there_is_no_bar(capsys):
    shown = Screen(10)
    shown.open(0)
    shown.text("[red]folder[/red]")
    assert not shown.move_bar(1, "loss")
    shown.close()
    assert capsys.readouterr().out == "[red]folder[/red]\n"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    terminal = Console(force_terminal=True, width=100)
    monkeypatch.setattr(screen, "Console", lambda **options: terminal)
    shown = Screen(10)
    shown.open(4)
    assert shown.move_bar(5, "loss 0.1")
    shown.close()
    assert "5/10" in capsys.readouterr().out
