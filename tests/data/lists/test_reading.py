"""Lines of lists, and the images they mean."""

import pytest

from fewmask.data.lists.reading import match_names, read_lines
from fewmask.errors import UserError

IDS = [f"2007_0000{i}" for i in range(10, 15)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# only a comment\n\n", "is empty. Write one image name per line"),
        ("a\nb\na\n", "names 'a' twice"),
        (b"k\xfchl\n", "is not UTF-8 text. Save it as UTF-8"),
    ],
)
def test_unfit_lists_are_refused(text, says, tmp_path):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "l.txt").write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_lines(tmp_path / "l.txt")


def test_two_lines_may_not_mean_one_image_nor_one_line_two():
    with pytest.raises(UserError, match="lists one image twice: 'a' and 'images/a.jpg'"):
        match_names(["a", "images/a.jpg"], ["a", "b"], "list")
    with pytest.raises(UserError, match="several images have that name. Write it with its folder"):
        match_names(["0001.jpg"], ["a/0001", "b/0001"], "list")


def test_lists_from_windows_are_read(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(IDS).encode())
    assert read_lines(file) == IDS


def test_a_list_never_means_another_folders_image():
    names = ["a/0001", "a/0002", "scan"]
    assert match_names(["a/0001.jpg", "images/a/0002.png"], names, "list") == [0, 1]
    for line in ("b/0001", "scan.3", "0003"):
        with pytest.raises(UserError, match="no such image"):
            match_names([line], names, "list")


def test_utf_16_backslashes_and_letters_of_two_signs_are_understood(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes("\ufeffcrop\\a.png\nm\u00fchle\n".encode("utf-16-le"))
    names = ["crop/a", "mu\u0308hle"]
    assert match_names(read_lines(file), names, file) == [0, 1]


@pytest.mark.parametrize("form", ["{}", "{}.jpg", "images/{}.jpg", "/home/me/images/{}.jpg"])
def test_names_that_repeat_in_folders_are_told_apart(form):
    names = ["a/000", "a/001", "b/000"]
    lines = [form.format(name) for name in ("b/000", "a/000")]
    assert match_names(lines, names, "list") == [2, 0]
    assert match_names(["b\\000.jpg"], names, "list") == [2]


def test_the_mask_of_another_image_in_a_line_is_refused():
    names = ["p0", "p1"]
    assert match_names(["a/p1.png m/p1.png", "a/p0.jpg m/p0_mask.png"], names, "l") == [1, 0]
    with pytest.raises(UserError, match="m/p1.png is the mask of another image. Masks are found"):
        match_names(["a/p0.png m/p1.png"], names, "l")
