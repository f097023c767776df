"""Images and masks in files, as a data set."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.data import Files, LabelTable
from fewmask.data.cache import DecodedFolder
from fewmask.data.files import Paths
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError


@pytest.fixture
def files(photos):
    names = [f"p{i}" for i in range(5)]
    images = Paths(photos / "images", names, ".jpg")
    return Files(images, Paths(photos / "masks", names, ".png"), names, LabelTable(2))


def test_paths_are_made_from_names_when_asked_for():
    paths = Paths(Path("a"), ["x", "y", "z"], ".png")
    assert len(paths) == 3 and paths[1] == Path("a/y.png") and paths[-1] == Path("a/z.png")
    assert paths[:2] == [Path("a/x.png"), Path("a/y.png")]


def test_a_subset_of_computed_paths_shares_its_names(files):
    some = files.subset([2, 0])
    assert some.names == ["p2", "p0"] and some.images.names is some.names is some.masks.names
    mixed = Files([*files.images], [*files.masks], files.names, files.labels).subset([1])
    assert mixed.images == [files.images[1]] and mixed.masks == [files.masks[1]]


def test_options_are_taken_over(files, tmp_path):
    options = ReadOptions(1, 20, {}, DecodedFolder(tmp_path))
    read = files.as_read(options)
    assert (read.channels, read.long_side) == (1, 20)
    assert read.memory is options.memory and read.decoded is options.decoded and read.is_cached
    assert files.long_side is None and files.memory is None


def test_a_file_answers_for_itself(files, photos):
    assert files.file(1) == photos / "images/p1.jpg"
    assert files.mask_file(1) == photos / "masks/p1.png"
    assert files.label_table() is files.labels and not files.is_cached and not files.is_pool


def test_the_state_changes_with_any_file(files):
    states = [files.state(True), files.state(False)]
    assert len(set(states)) == 2 and files.state(True) == states[0]
    os.utime(files.masks[3], ns=(1, 1))
    assert files.state(True) != states[0] and files.state(False) == states[1]
    files.images[0].unlink()
    assert files.state(False) is None


def test_an_image_that_looks_whole_is_not_decoded(files, monkeypatch):
    monkeypatch.setattr(Files, "image", lambda *_: pytest.fail("decoded"))
    files.verify_image(0)


def test_masks_are_compared_with_the_image_at_its_own_size(files):
    files.as_read(ReadOptions(long_side=8)).verify_pair(0)
    files.masks[0].write_bytes(files.masks[1].read_bytes())
    with pytest.raises(UserError, match="p0.png is 60x40 pixels, but its image p0.jpg is 50x50"):
        files.verify_pair(0)
    assert np.array_equal(files.mask(1).shape, (40, 60))


def test_a_mask_on_its_side_is_said_to_be_so(files, photos):
    Image.new("L", (40, 60)).save(photos / "masks" / "p0.png")
    Image.new("RGB", (60, 40)).save(photos / "images" / "p0.jpg")
    with pytest.raises(UserError, match="It lies on its side: turn it, or export"):
        files.verify_pair(0)


def test_masks_are_resized_if_that_is_wanted(files, tmp_path):
    resized = replace(files, resizes_masks=True, decoded=DecodedFolder(tmp_path))
    Image.fromarray(np.eye(40, 60, dtype=np.uint8)).resize((30, 20), 0).save(files.masks[1])
    assert files.mask(1).shape == (20, 30) and resized.mask(1).shape == (40, 60)
    assert np.array_equal(resized.mask(1), files.mask(1).repeat(2, 0).repeat(2, 1))
    resized.verify_pair(1)
    assert resized.state(True) != files.state(True)
    Image.new("L", (10, 20)).save(files.masks[2])
    with pytest.raises(UserError, match="p2.png is 10x20 .*, or at least in its shape"):
        resized.verify_pair(2)
