"""What a data set answers about itself, and images chosen from several."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fewmask.data import Chosen, Dataset, Files, LabelTable
from fewmask.data.dataset import label_shares, real_files
from fewmask.data.memory import Memory
from fewmask.data.order import shuffled
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError
from tests.links import link


class Gray(Dataset):
    """Images of one gray value, their index."""

    def __init__(self, count, name="g"):
        self.names = [f"{name}{i}" for i in range(count)]

    def image(self, index):
        return np.full((4, 6, 3), index, np.uint8)

    def mask(self, index):
        mask = np.full((4, 6), 255, np.uint8)
        mask[:2] = index % 2
        return mask


def test_a_subclass_needs_names_and_images_only():
    data = Gray(5)
    assert len(data) == 5 and data.file(0) is None and data.mask_file(0) is None
    assert data.sample() == range(5) and data.state(True) is None and not data.is_pool
    assert data.label_table() is None and data.shared_files({"/a.png"}) == set()
    assert data.fingerprint() == hashlib.sha256(b"g0\ng1\ng2\ng3\ng4").hexdigest()
    order = [data.index_at(place, (0, 1)) for place in range(5)]
    assert order == [shuffled(place, 5, (0, 1)) for place in range(5)]
    with pytest.raises(TypeError, match="abstract"):
        Dataset()


def test_a_data_set_without_masks_says_so():
    class Photos(Dataset):
        names = ("a",)

        def image(self, index):
            return np.zeros((2, 2, 3), np.uint8)

    with pytest.raises(AssertionError, match="a has no mask"):
        Photos().mask(0)


def test_a_subset_keeps_the_order_that_was_asked_for():
    some = Gray(5).subset([3, 1])
    assert some.names == ["g3", "g1"] and len(some) == 2
    assert some.image(0)[0, 0, 0] == 3 and some.mask(1)[0, 0] == 1
    assert len(Gray(5).subset([])) == 0 and some.subset([1]).names == ["g1"]


def test_images_are_chosen_from_several_data_sets(tmp_path):
    files = Files([tmp_path / "a.png"], [tmp_path / "m.png"], ["a"], LabelTable(2))
    gray = Gray(3)
    both = Chosen([(gray, 2), (files, 0), (gray, 0)])
    assert both.names == ["g2", "a", "g0"]
    assert both.image(0)[0, 0, 0] == 2 and both.image(2)[0, 0, 0] == 0
    assert [both.file(i) for i in range(3)] == [None, tmp_path / "a.png", None]
    assert both.mask_file(1) == tmp_path / "m.png" and not both.is_cached
    assert real_files(both) == {str((tmp_path / "a.png").resolve())}
    assert both.shared_files({str((tmp_path / "a.png").resolve()), "/b"}) == real_files(both)
    small = Chosen([(gray, 2), (gray, 0)]).as_read(ReadOptions(long_side=3))
    assert small.image(0).shape == (2, 3, 3) and small.names == ["g2", "g0"]


def test_options_change_how_images_are_read():
    data = Gray(3)
    assert data.as_read(ReadOptions()) is data
    small = data.as_read(ReadOptions(long_side=3, memory=Memory()))
    assert small.image(2).shape == (2, 3, 3) and small.mask(2).shape == (4, 6)
    assert small.image(2) is small.image(2) and small.names == data.names
    assert small.fingerprint() == data.fingerprint() and small.sample() == data.sample()
    assert small.index_at(1, (7,)) == data.index_at(1, (7,))
    assert small.state(False) is None and small.shared_files({"/a"}) == set()
    small.verify_pair(0)  # at their own size, image and mask fit
    with pytest.raises(UserError, match=r"3 band\(s\), but model.in_channels=1"):
        data.as_read(ReadOptions(channels=1))


def test_a_pool_is_never_kept_in_memory():
    data = Gray(3)
    data.is_pool = True
    read = data.as_read(ReadOptions(memory=Memory()))
    assert read.is_pool and read.image(0) is not read.image(0)


def test_image_and_mask_must_have_one_size():
    data = Gray(2)
    data.verify_pair(1), data.verify_image(1)
    data.mask = lambda index: np.zeros((3, 6), np.uint8)
    with pytest.raises(UserError, match=r"g1 has the shape \(3, 6\), but its image has \(4, 6\)"):
        data.verify_pair(1)


def test_shares_of_classes_leave_out_what_has_no_label():
    assert label_shares(Gray(3), 2).tolist() == [2 / 3, 1 / 3]
    assert label_shares(Gray(10), 2, most=2).tolist() == [0.5, 0.5]  # images 0 and 5


def test_a_file_may_have_several_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    link(tmp_path / "b.png", tmp_path / "a.png")
    files = Files([Path(tmp_path / "b.png")], [None], ["b"], LabelTable(2))
    assert files.shared_files({str((tmp_path / "a.png").resolve())})
