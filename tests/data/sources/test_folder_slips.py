"""What people write into a folder's YAML file is understood, or named."""

import pytest

from fewmask.data.sources.folder import Folder
from fewmask.data.sources.folder_slips import (
    names_in_order,
    number_or_list,
    several,
    spaced,
    with_hash,
    without_extension,
)


def test_names_by_their_numbers():
    assert names_in_order({1: "b", 0: "a"}) == ["a", "b"] and names_in_order(["a"]) == ["a"]
    with pytest.raises(ValueError, match=r"expected the numbers 0\.\.1"):
        names_in_order({1: "a", 2: "b"})


def test_a_missing_space_is_named():
    assert spaced({0: 0, 255: 1}) == {0: 0, 255: 1}
    with pytest.raises(ValueError, match="a space is needed after each colon"):
        spaced({"0:0": None, "255:1": None})


def test_colors_get_their_hash_and_single_numbers_are_a_list():
    assert with_hash({"000000": 0, 800000: 1}) == {"#000000": 0, "#800000": 1}
    assert with_hash({"#ff0000": 0, "0x00FF00": 1}) == {"#ff0000": 0, "#00FF00": 1}
    for color in ("red", "#f00", "255,0,0"):
        with pytest.raises(ValueError, match=f"'{color}' is no color. Write it as"):
            with_hash({color: 0})
    with pytest.raises(ValueError, match="expected each color once"):
        with_hash({"#FF0000": 1, "ff0000": 2})
    assert several(255) == (255,) and several([1, 2]) == [1, 2] and several(True) is True


def test_a_config_takes_them():
    config = Folder.Config(name="folder", names={0: "a", 1: "b"}, ignore=0, palette={"00ff00": 1})
    assert (config.names, config.ignore, config.palette) == (("a", "b"), (0,), {"#00ff00": 1})


def test_a_word_for_the_labeled_images_is_refused():
    assert number_or_list(3) == 3 and number_or_list("few.txt") == "few.txt"
    for word in (True, "yes", "all"):
        with pytest.raises(ValueError, match="expected a number, a .txt list, or null"):
            number_or_list(word)


def test_an_extension_is_no_part_of_a_suffix():
    assert without_extension("_mask.png") == "_mask" and without_extension(".jpg") == ".jpg"
    assert without_extension("_mask") == "_mask"
