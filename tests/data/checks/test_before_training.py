"""Files are read before training: what is damaged is named, what passed is not read again."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.data.checks import before_training
from fewmask.data.checks.before_training import check_data
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.data import trees
from tests.data.pools import (
    picture,
)
from tests.data.trees import opened, quiet, tree


def test_damaged_masks_are_named(tmp_path):
    root = tree("voc", tmp_path)
    masks = root / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    file = masks / "2008_000001.png"
    whole = file.read_bytes()

    def refuses(says):
        with pytest.raises(UserError, match=f"(?s)(?=.*2008_000001.png).*{says}"):
            check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)

    file.write_bytes(whole[: len(whole) // 2])
    refuses("damaged")
    Image.new("RGB", (trees.WIDTH, trees.HEIGHT), "red").save(file)
    refuses("RGB")
    trees.gray(file, np.zeros((20, 20)))
    refuses("20x20 pixels")
    trees.gray(file, trees.blocks(0, 33))
    refuses("hold the values .*, 33, ")
    file.write_bytes(whole)
    check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_an_unlabeled_image_that_was_cut_off_is_found(tmp_path):
    root = tree("voc", tmp_path)
    file = root / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2010_000002.jpg"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"2010_000002.jpg.*damaged"):
        check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_files_that_passed_are_not_read_again_until_they_change(tmp_path, monkeypatch):
    root = tree("camvid", tmp_path)
    data = opened("camvid", root, labeled=2)
    told, again = [], []
    check_data(data, needs_unlabeled=True, tell=told.append)
    for method in ("verify_pair", "image", "mask"):
        monkeypatch.setattr(
            f"fewmask.data.files.Files.{method}", lambda *_: pytest.fail("read again")
        )
    check_data(data, needs_unlabeled=True, tell=again.append)
    assert again == told and "Rare among the labeled images" in told[0]
    monkeypatch.undo()
    (root / "val/masks/val_1.png").write_bytes(b"no longer an image")
    with pytest.raises(UserError, match=r"val_1.png"):
        check_data(data, needs_unlabeled=True, tell=quiet)


def test_other_image_level_labels_are_looked_at(tmp_path, monkeypatch):
    data, looked_at = opened("camvid", tree("camvid", tmp_path), labeled=2), []
    monkeypatch.setattr(before_training, "loaded_findings", lambda d: looked_at.append(d) or [])
    some, others = np.zeros((3, 11), bool), np.ones((3, 11), bool)
    for labels in (None, some, some, others):
        check_data(replace(data, image_labels=labels), needs_unlabeled=False, tell=quiet)
    assert len(looked_at) == 3


def test_validation_images_among_the_unlabeled_are_found(tmp_path):
    root = tree("voc", tmp_path)
    file = root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt"
    file.write_text(file.read_text() + "2008_000001\n")
    with pytest.raises(UserError, match="1 unlabeled image.s. are also in val"):
        check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_val_images_in_a_pool_are_refused(tmp_path):
    for i in range(6):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
        picture(i).save(tmp_path / "images" / f"{i}.png")
        mask = Image.fromarray(np.random.default_rng(i).integers(0, 2, (40, 52), np.uint8))
        mask.save(tmp_path / "masks" / f"{i}.png")
    words = [f"data={tmp_path}", "method=imas", "loader.crop=32"]
    with pytest.raises(UserError, match="1 unlabeled image.s. are also in val"):
        open_data(recipe_from_words([*words, f"data.pool={tmp_path / 'images'}"]))


def test_a_cache_that_cannot_even_be_looked_into_is_done_without(photos, tmp_path, monkeypatch):
    # Path.is_file raises for such a name, as it does in the locked home of another user.
    monkeypatch.setattr(before_training, "cache_folder", lambda: tmp_path / ("x" * 300))
    data = opened("folder", photos)
    check_data(data, True, quiet)
