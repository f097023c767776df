"""What the doctor says about a machine."""

import shutil
from types import SimpleNamespace

from fewmask.tasks import doctor
from tests.program import fewmask
from tests.server import serving


def test_every_thing_has_a_line(monkeypatch):
    with serving({"/": b"hello"}) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(doctor.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("PIP_INDEX_URL", address.replace("http://", "http://user:secret@"))
        lines = fewmask("doctor").splitlines()
    titles = [line[4:].partition(":")[0] for line in lines]
    assert titles == [
        "device", "bf16", "shared memory", "current folder", "cache", "notes on your own runs",
        "model hub", "package index", "system", "packages",
    ]  # fmt: skip
    assert lines[6] == "ok  model hub: 127.0.0.1 answers"
    assert "secret" not in "".join(lines)
    assert "torch 2" in lines[0] and "fewmask 0" in lines[-1]


def test_too_little_room_is_told_with_what_to_do(monkeypatch, tmp_path):
    little = SimpleNamespace(free=64 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: little)
    line = doctor._folder("cache", tmp_path / "new", "Set XDG_CACHE_HOME to another folder")
    assert line.startswith("!!  cache: ") and line.endswith("Set XDG_CACHE_HOME to another folder.")
    (tmp_path / "file").write_text("")
    line = doctor._folder("cache", tmp_path / "file/x", "Set it")
    assert "cannot be written to (Not a directory). Set it." in line


def test_a_server_out_of_reach_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(doctor, "DEADLINE", 0.2)
    with serving({"/": bytes(500)}, pause_seconds=0.01) as address:
        assert doctor._server("hub", address, "x").startswith("ok")
    line = doctor._server("hub", "http://127.0.0.1:9/", "use a file")
    assert (
        line.startswith("!!  hub: 127.0.0.1 is out of reach") and "Without it: use a file." in line
    )


def test_debug_shows_the_machine_too(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "examine", lambda: ["ok  all of it"])
    printed = fewmask("check", tmp_path / "missing", "--debug", code=1)
    assert "Traceback" in printed and "ok  all of it" in printed


def test_a_hub_that_is_switched_off_is_not_asked(monkeypatch):
    monkeypatch.setattr(doctor.constants, "HF_HUB_OFFLINE", True)
    assert doctor._hub().startswith("ok  model hub: HF_HUB_OFFLINE is set, so it is not asked.")
    assert "what is set, which is no URL, is out of reach" in doctor._server("hub", "nonsense", "x")


def test_where_nothing_can_be_noted_own_runs_may_ask(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert doctor._own_runs() == f"ok  notes on your own runs: {tmp_path / 'state/fewmask/own'}"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert doctor._own_runs().startswith("!!  notes on your own runs: they cannot be kept. Set XDG")
