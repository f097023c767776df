"""Image files are found in folders and lists, and named."""

from pathlib import Path

import pytest

from fewmask.data.image_files import (
    files_below,
    list_images,
    masks_by_stem,
    unique_names,
    unread_pictures,
    without_predictions,
)
from fewmask.errors import UserError
from tests.links import link


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_links_are_followed_loops_end_and_hidden_files_are_left_out(tmp_path):
    touch(tmp_path / "in/b.png", tmp_path / "in/.hidden.png", tmp_path / "in/.git/c.png")
    touch(tmp_path / "other/q.png")
    link(tmp_path / "in/more", tmp_path / "other")
    link(tmp_path / "in/self", tmp_path / "in")
    assert [file.name for file in files_below(tmp_path / "in")] == ["b.png", "q.png"]


def test_a_name_that_no_list_can_hold_is_refused(tmp_path):
    touch(tmp_path / "a\nb.png")
    with pytest.raises(UserError, match="cannot be written into a list. Rename it"):
        files_below(tmp_path)


def test_images_of_a_folder_and_of_a_list(tmp_path):
    touch(tmp_path / "i/b.JPG", tmp_path / "i/a.tif", tmp_path / "i/n.txt", tmp_path / "i/g.gif")
    assert [file.name for file in list_images(tmp_path / "i")] == ["a.tif", "b.JPG"]
    assert [file.name for file in unread_pictures(tmp_path / "i")] == ["g.gif"]
    (tmp_path / "l.txt").write_text("i/b.JPG\n")
    assert list_images(tmp_path / "l.txt") == [tmp_path / "i/b.JPG"]
    (tmp_path / "l.txt").write_text("i/c.JPG\n")
    with pytest.raises(UserError, match=r"l.txt lists .*c.JPG, but there is no such file"):
        list_images(tmp_path / "l.txt")
    with pytest.raises(UserError, match="There is no folder or list"):
        list_images(tmp_path / "nothing")


def test_names_are_unique(tmp_path):
    files = [tmp_path / name for name in ("a.png", "a.jpg", "s/a.png")]
    assert unique_names(files, tmp_path) == ["a.png", "a.jpg", "s/a"]
    assert unique_names([Path("/elsewhere/b.png")], tmp_path) == ["/elsewhere/b"]


def test_two_masks_of_one_name_are_refused(tmp_path):
    touch(tmp_path / "s/a.png", tmp_path / "b.png")
    assert masks_by_stem(tmp_path) == {"s/a": tmp_path / "s/a.png", "b": tmp_path / "b.png"}
    touch(tmp_path / "b.bmp")
    with pytest.raises(UserError, match="Two masks for one image: .*b.bmp and .*b.png"):
        masks_by_stem(tmp_path)


def test_predictions_are_known_by_the_file_beside_their_folders(tmp_path, monkeypatch):
    mine, theirs = Path("mine/masks/a.png"), Path("run/masks/sub/a.png")
    touch(tmp_path / mine, tmp_path / theirs, tmp_path / "run/made_by.json", tmp_path / "run/b.png")
    monkeypatch.chdir(tmp_path)
    assert without_predictions([mine, theirs, Path("run/b.png")]) == [mine, Path("run/b.png")]
    monkeypatch.chdir(tmp_path / "run" / "masks")
    assert without_predictions([Path("sub/a.png")]) == []


def test_the_name_of_a_folder_must_fit_into_a_list_as_well(tmp_path):
    try:
        (tmp_path / "a\nb").mkdir()
    except OSError:
        pytest.skip("this file system refuses such names")
    (tmp_path / "a\nb" / "1.png").touch()
    with pytest.raises(UserError, match=r"'a\\nb/1.png' in .* cannot be written into a list"):
        files_below(tmp_path)


@pytest.mark.parametrize("name", ["a .png", " a.png", "# a.png"])
def test_names_that_a_list_would_change_are_refused(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match="cannot be written into a list. Rename it"):
        files_below(tmp_path)


def test_names_with_blanks_and_signs_inside_are_fine(tmp_path):
    for name in ("a b.png", "#a.png", "a # b.png"):
        (tmp_path / name).touch()
    assert len(files_below(tmp_path)) == 3
