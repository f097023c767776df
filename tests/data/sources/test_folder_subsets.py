"""A folder is divided into labeled, unlabeled and val, always in the same way."""

from pathlib import Path

import pytest

from fewmask.data.files import Files
from fewmask.data.label_table import LabelTable
from fewmask.data.sources.folder_subsets import Wish, by_mask, divide, outside
from fewmask.errors import UserError


def files(count, masked):
    names = [f"p{i:02d}" for i in range(count)]
    images = [Path("/nowhere/images") / f"{name}.png" for name in names]
    masks = [
        Path("/nowhere/masks") / f"{n}.png" if i < masked else None for i, n in enumerate(names)
    ]
    return Files(images, masks, names, LabelTable(2))


def test_the_three_sets_share_nothing_and_leave_out_nothing():
    labeled, unlabeled, val = divide(files(20, 10), None, Wish(None, 0.2, 0))
    assert (len(labeled), len(unlabeled), len(val)) == (8, 10, 2)
    assert len({*labeled.names, *unlabeled.names, *val.names}) == 20
    assert None not in labeled.masks and None not in val.masks


def test_a_number_of_labeled_images_is_drawn_and_the_rest_is_unlabeled():
    one, other = (divide(files(20, 10), None, Wish(3, 0.2, seed)) for seed in (0, 1))
    assert len(one.labeled) == 3 and len(one.unlabeled) == 15
    assert one.labeled.names != other.labeled.names
    again = divide(files(20, 10), None, Wish(3, 0.2, 0))
    assert again.labeled.names == one.labeled.names and again.val.names == one.val.names


def test_a_list_of_labeled_images(tmp_path):
    (tmp_path / "labeled.txt").write_text("p01\np03\n")
    all_files = files(20, 10)
    val = all_files.subset([0, 1])
    labeled, unlabeled, _ = divide(all_files, val, Wish(tmp_path / "labeled.txt", 0.2, 0))
    assert labeled.names == ["p01", "p03"]  # p01 is in val too, which is reported later
    assert len(unlabeled) == 17
    (tmp_path / "labeled.txt").write_text("p15\n")
    with pytest.raises(UserError, match=r"labeled.txt: 1 image\(s\) have no mask"):
        divide(all_files, val, Wish(tmp_path / "labeled.txt", 0.2, 0))


def test_listed_images_are_not_held_out(tmp_path):
    place, drawn = tmp_path / "labeled.txt", divide(files(20, 10), None, Wish(None, 0.2, 0)).val
    place.write_text("\n".join(drawn.names))
    labeled, _, val = divide(files(20, 10), None, Wish(place, 0.2, 0))
    assert labeled.names == drawn.names
    assert len(val) == 2 and not {*val.names} & {*labeled.names}
    place.write_text("\n".join(f"p{i:02d}" for i in range(10)))
    with pytest.raises(UserError, match="Take some out of the list, or set data.val"):
        divide(files(20, 10), None, Wish(place, 0.2, 0))


def test_too_few_masks_are_refused():
    with pytest.raises(UserError, match="too few to hold some out"):
        divide(files(5, 1), None, Wish(None, 0.2, 0))
    with pytest.raises(UserError, match=r"data.labeled=9: .* Give 1\.\.8"):
        divide(files(20, 10), None, Wish(9, 0.2, 0))


def test_images_by_mask_and_outside_val():
    some = files(4, 3)
    assert by_mask(some, True).names == ["p00", "p01", "p02"]
    assert by_mask(some, False).names == ["p03"]
    assert outside(some, some.subset([1])) == [0, 2, 3]
