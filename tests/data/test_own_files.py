"""What fewmask wrote may be replaced; what was changed, or is somebody else's, never."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fewmask.data.own_files import NOTES, OwnFiles, links_out, require_no_link
from fewmask.errors import UserError
from tests.links import link


def test_only_what_is_as_it_was_written_is_free(tmp_path):
    own, file, theirs = OwnFiles(tmp_path), tmp_path / "sub" / "list.txt", tmp_path / "mine.txt"
    assert own.is_free(file)
    own.write_text(file, "a\n")
    assert file.read_text() == "a\n" and own.is_free(file)
    theirs.write_text("a\n")  # the same content under another name was not written by fewmask
    assert not own.is_free(theirs) and not own.has_noted(theirs)
    file.write_text("a\n# mine\n")
    assert not own.is_free(file) and own.has_noted(file)
    file.write_text("")  # what a full disk leaves
    assert own.is_free(file)
    (tmp_path / "folder").mkdir()
    assert not own.is_free(tmp_path / "folder")


def test_what_is_kept_is_told(tmp_path):
    told = []
    own = OwnFiles(tmp_path, told.append)
    (tmp_path / "a.txt").write_text("mine")
    assert own.may_write(tmp_path / "b.txt") and not told
    assert not own.may_write(tmp_path / "a.txt")
    assert told[0].startswith(f"Kept: {tmp_path / 'a.txt'} was changed since fewmask wrote it")
    with pytest.raises(
        UserError, match="a.txt was changed .* Move it away, or write to another place"
    ):
        own.require_free(tmp_path / "b.txt", tmp_path / "a.txt")


def test_the_notes_outlive_the_process_and_a_move_and_are_a_list_of_sha256sum(tmp_path):
    OwnFiles(tmp_path / "a").write_text(tmp_path / "a" / "b" / "c.txt", "text")
    (tmp_path / "a").rename(tmp_path / "z")
    assert OwnFiles(tmp_path / "z").is_free(tmp_path / "z" / "b" / "c.txt")
    digest = hashlib.sha256(b"text").hexdigest()
    assert (tmp_path / "z" / NOTES).read_text() == f"{digest}  b/c.txt\n"


def test_several_processes_note_into_one_folder(tmp_path):
    one, other = OwnFiles(tmp_path), OwnFiles(tmp_path)
    one.write_text(tmp_path / "a", "1")
    assert other.is_free(tmp_path / "a")
    other.write_text(tmp_path / "b", "2")
    assert one.is_free(tmp_path / "b")


def test_a_kill_before_the_file_is_in_place_leaves_both_contents_known(tmp_path):
    own = OwnFiles(tmp_path)
    own.write_text(tmp_path / "a", "old")
    own._note(f"{hashlib.sha256(b'new').hexdigest()}  a")
    assert own.is_free(tmp_path / "a")
    (tmp_path / "a").write_text("new")
    assert own.is_free(tmp_path / "a")


def test_notes_that_a_full_disk_has_cut_off_do_not_spoil_later_ones(tmp_path):
    (tmp_path / NOTES).write_text("0f0f")
    OwnFiles(tmp_path).write_text(tmp_path / "a", "1")
    assert OwnFiles(tmp_path).is_free(tmp_path / "a")


def test_a_link_is_no_file_that_grows(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(UserError, match="link is a link to .*thesis.txt, which fewmask would"):
        require_no_link(tmp_path / "link")
    require_no_link(tmp_path / "thesis.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_the_notes_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / NOTES)
    with pytest.raises(UserError, match="is a pipe or a device"):
        OwnFiles(tmp_path)


def test_threads_may_ask_while_others_write(tmp_path):
    own = OwnFiles(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        files = [tmp_path / f"{number}.txt" for number in range(300)]
        written = [pool.submit(own.write_text, file, file.name) for file in files]
        asked = [pool.submit(own.has_noted, tmp_path / "other") for _ in files]
        assert not any(future.result() for future in [*written, *asked])


def test_nothing_is_written_behind_a_link_that_leads_out(tmp_path):
    own, other = OwnFiles(tmp_path / "home"), tmp_path / "other"
    other.mkdir()
    own.write_text(tmp_path / "home" / "in" / "a.txt", "")
    link(tmp_path / "home" / "out", other)
    link(tmp_path / "home" / "alias", tmp_path / "home" / "in")
    own.write_text(tmp_path / "home" / "alias" / "b.txt", "")
    with pytest.raises(UserError, match="out is a link to .*other, or behind one"):
        own.write_text(tmp_path / "home" / "out" / "c.txt", "")
    assert not [*other.iterdir()]
    assert links_out(tmp_path / "home") == {"out": str(other)}


def test_notes_that_are_a_hard_link_do_not_grow_elsewhere(tmp_path):
    OwnFiles(tmp_path / "a").write_text(tmp_path / "a" / "1", "")
    os.link(tmp_path / "a" / NOTES, tmp_path / "backup")
    before = (tmp_path / "backup").read_text()
    OwnFiles(tmp_path / "a").write_text(tmp_path / "a" / "2", "")
    assert (tmp_path / "backup").read_text() == before != (tmp_path / "a" / NOTES).read_text()


def test_notes_that_would_fill_the_memory_are_not_read(tmp_path):
    with (tmp_path / NOTES).open("wb") as notes:
        notes.truncate(50 << 30)
    with pytest.raises(OSError, match="50.0 GiB, and 2 are the limit"):
        OwnFiles(tmp_path)
