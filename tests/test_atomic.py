"""A file is written completely or not at all, whatever happens meanwhile."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fewmask import atomic
from fewmask.atomic import (
    is_leftover,
    obstacle,
    read_bytes,
    read_text,
    replacing,
    unshare,
    write_bytes,
    write_text,
)


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(RuntimeError), replacing(file) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_a_kill_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    code = f"""
import os
from pathlib import Path
from fewmask.atomic import replacing
with replacing(Path({str(file)!r}), Path({str(tmp_path / "a.tmp")!r})) as temporary:
    temporary.write_text("half of the n")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert file.read_text() == "old"
    with replacing(file, tmp_path / "a.tmp") as temporary:  # the next write uses the same name
        temporary.write_text("new")
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


def test_folders_are_created_and_line_ends_kept(tmp_path):
    write_text(tmp_path / "new" / "folder" / "ä.txt", "one\r\ntwo\nü")
    assert (tmp_path / "new" / "folder" / "ä.txt").read_bytes() == "one\r\ntwo\nü".encode()
    write_bytes(tmp_path / "b", b"\0\1")
    assert (tmp_path / "b").read_bytes() == b"\0\1"


def test_the_temporary_file_keeps_the_suffix_and_fits_into_a_long_name(tmp_path):
    file = tmp_path / ("x" * 250 + ".png")
    with replacing(file) as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        temporary.write_bytes(b"picture")
    assert file.read_bytes() == b"picture"


def test_threads_may_write_the_same_file(tmp_path):
    file = tmp_path / "a"
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: write_bytes(file, bytes([i]) * 1000), range(200)))
    assert len(set(file.read_bytes())) == 1 and list(tmp_path.iterdir()) == [file]


def test_writers_of_the_same_file_have_temporary_files_of_their_own(tmp_path, monkeypatch):
    def temporary(name="a.txt"):
        with replacing(tmp_path / name) as path:
            path.touch()
            return path.name

    with ThreadPoolExecutor(1) as other_thread:
        names = [temporary(), other_thread.submit(temporary).result(), temporary("b.txt")]
    monkeypatch.setattr(os, "getpid", lambda: -1)  # another process
    assert len({*names, temporary()}) == 4


def test_what_a_kill_leaves_is_recognized(tmp_path):
    with replacing(tmp_path / "recipe.yaml") as temporary:
        temporary.touch()
        assert is_leftover(temporary)
    for name in ("recipe.yaml", ".writer", "12-34.yaml", ".hidden.yaml"):
        assert not is_leftover(tmp_path / name)


def test_a_file_that_grows_is_no_hard_link(tmp_path):
    (tmp_path / "log").write_text("old")
    os.link(tmp_path / "log", tmp_path / "backup")
    unshare(tmp_path / "log")
    with (tmp_path / "log").open("a") as stream:
        stream.write(" and new")
    assert (tmp_path / "log").read_text() == "old and new"
    assert (tmp_path / "backup").read_text() == "old"
    unshare(tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path(os.devnull)):
        assert "a pipe or a device" in obstacle(file)
        with pytest.raises(OSError, match="it is a pipe or a device, and not a file"):
            read_bytes(file)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)


def test_a_file_without_a_size_is_not_read(tmp_path, monkeypatch):
    """As /proc/kmsg, which waits for the kernel's next message."""
    file = tmp_path / "a.txt"
    file.touch()
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))
    assert obstacle(file) == "it is empty" and read_bytes(file) == b""
    assert obstacle(tmp_path / "none") == ""


def test_a_file_larger_than_any_is_refused_unread(tmp_path):
    file = tmp_path / "sparse.txt"
    with file.open("wb") as content:
        content.truncate(atomic.LARGEST + 1)
    with pytest.raises(OSError, match="it has 2.0 GiB, and 2 are the limit.*sparse.txt"):
        read_text(file)


def test_line_ends_are_one_character(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_text(file, "utf-8-sig") == "one\ntwo\nthree\n"
    file.write_bytes(b"\xff")
    assert read_text(file, errors="replace") == "\ufffd"


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff")
    with pytest.raises(OSError, match=r"it is not UTF-8 text: '.*a.txt'"):
        atomic.read_text(tmp_path / "a.txt")


def test_json_and_tables_of_anybody_are_read_or_refused():
    assert atomic.parse_json('{"a": [1]}') == {"a": [1]}
    assert atomic.parse_csv(["a,b", '"c,d",e']) == [["a", "b"], ["c,d", "e"]]
    with pytest.raises(ValueError, match="nested too deeply"):
        atomic.parse_json("[" * 200_000)
    with pytest.raises(ValueError, match="it is no table"):
        atomic.parse_csv(["x" * 200_000])
