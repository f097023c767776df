"""Text of files is shown as it is, and terminals of any encoding can show it."""

import io
import sys

from rich.table import Table

from fewmask.cli.printing import Printable, make_printable, printable, show


def test_what_a_terminal_would_obey_is_left_out():
    assert printable("a\x1b[31mred\x1b[0m\tb\n") == "ared\tb\n"
    assert printable("\x1b]0;title\x07x\x1b]52;c;aGk=\x1b\\y\x9b2Jz") == "xy2Jz"
    assert printable("photo\u202egnp.exe\r\b") == "photognp.exe"
    assert printable("Stra\u00dfe \u6728 [/b] :smile:") == "Stra\u00dfe \u6728 [/b] :smile:"


def test_everything_printed_goes_this_way_and_only_once(monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    make_printable()
    make_printable()
    assert isinstance(sys.stdout, Printable)
    assert not isinstance(sys.stdout.rich_proxied_file, Printable)
    print("Stra\u00dfe\x1b[2J")
    sys.stdout.flush()
    assert content.getvalue().splitlines() == [b"Stra\\xdfe"]


def test_names_in_tables_are_no_markup(capsys):
    table = Table("class", title="runs/[red]1")
    for name in ("[/b]", "[roof]", ":smile:"):
        table.add_row(name)
    show(table)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("[/b]", "[roof]", ":smile:", "runs/[red]1"))


def test_no_number_is_cut_off_where_lines_are_short(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    table = Table("method", "gain, 95 % interval")
    table.columns[1].no_wrap = True
    table.add_row("FewMatch", "+3.5  (-18.8 to +26.0)")
    show(table)
    assert "+3.5  (-18.8 to +26.0)" in capsys.readouterr().out
