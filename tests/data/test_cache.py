"""Decoded copies on disk."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.data.cache import DecodedFolder, cache_folder
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.data.pools import (
    picture,
    write_folder,
)


def test_decoded_copies_are_equal_and_follow_the_file(tmp_path):
    folder = write_folder(tmp_path / "images", 4)
    (tmp_path / "images" / "readme.txt").unlink()
    for i in range(3):
        file = tmp_path / "masks" / f"part{i}" / f"{i:03}.png"
        file.parent.mkdir(parents=True)
        labels = np.random.default_rng(i).integers(0, 2, (40, 52), np.uint8)
        Image.fromarray(labels).save(file)
    words = [f"data={tmp_path}", "method=supervised", "data.long_side=26"]
    plain = open_data(recipe_from_words(words))
    kept = open_data(recipe_from_words([*words, f"data.cache={tmp_path / 'kept'}"]))
    for _ in range(2):  # first written, then read
        for part in ("labeled", "val"):
            a, b = getattr(plain, part), getattr(kept, part)
            for i in range(len(a)):
                assert np.array_equal(a.image(i), b.image(i)) and a.image(i).shape[1] == 26
                assert np.array_equal(a.mask(i), b.mask(i))
    copies = list((tmp_path / "kept").rglob("*.npy"))
    assert len(copies) == 6
    for number, copy in enumerate(copies):
        copy.write_bytes(b"damaged" * (number % 2))
    assert np.array_equal(plain.labeled.image(0), kept.labeled.image(0))
    file = plain.labeled.images[0]
    picture(77).save(file)
    os.utime(file, ns=(1, 1))
    assert np.array_equal(plain.labeled.image(0), kept.labeled.image(0))
    assert folder.is_dir()


def test_small_facts_are_kept_where_xdg_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "fewmask"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "fewmask"


def test_a_copy_follows_its_file_and_how_it_was_read(tmp_path):
    kept, file, reads = DecodedFolder(tmp_path / "kept"), tmp_path / "a.png", []

    def read():
        reads.append(1)
        return np.arange(len(reads))

    file.write_bytes(b"x")
    assert [len(kept.get(file, how, read)) for how in ("a", "a", "b", "a")] == [1, 1, 2, 1]
    file.write_bytes(b"xy")
    assert len(kept.get(file, "a", read)) == 3
    file.unlink()
    assert len(kept.get(file, "a", read)) == 4 and len(list(tmp_path.rglob("*.npy"))) == 3


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "kept").write_bytes(b"a file")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(UserError, match="Cannot keep decoded images in data.cache=.*kept"):
        DecodedFolder(tmp_path / "kept").get(tmp_path / "a.png", "a", lambda: np.zeros(1))


def test_without_a_home_nothing_is_kept(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OSError):  # which whoever keeps facts there expects
        (cache_folder() / "checked").mkdir(parents=True)
