"""Folders and lists of a pool are listed once until they change."""

import os
from pathlib import Path

import pytest

from fewmask.errors import UserError
from tests.data.pools import (
    number_of,
    opened_pool,
    picture,
    write_folder,
)
from tests.links import link


def test_a_damaged_index_is_made_again(tmp_path):
    folder = write_folder(tmp_path / "pool", 5)
    names = list(opened_pool(folder).names)
    for file in ("names", "ends", "facts.json"):
        index = opened_pool(folder).names.folder
        (index / file).write_bytes(b"")
        assert list(opened_pool(folder).names) == names


def test_odd_folders_are_listed_or_refused(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    link(folder / "itself", folder)
    (folder / "album.png").mkdir()
    picture(7).save(folder / "album.png" / "übung 1.png")
    if hasattr(os, "mkfifo"):  # not on Windows
        os.mkfifo(folder / "pipe.png")
    assert [Path(name).name for name in opened_pool(folder).names] == [
        "übung 1.png", "000.png", "001.png", "002.png"
    ]  # fmt: skip
    (folder / "a\nb").mkdir()
    picture(8).save(folder / "a\nb" / "c.png")
    with pytest.raises(UserError, match="cannot be written into a list"):
        opened_pool(folder)


def test_a_list_names_an_image_in_one_way(tmp_path):
    write_folder(tmp_path / "pool", 3)
    (tmp_path / "list.txt").write_text("./pool/part0/000.png\npool/part1/../part1/001.png\n")
    assert list(opened_pool(tmp_path / "list.txt").names) == [
        "pool/part0/000.png",
        "pool/part1/001.png",
    ]
    (tmp_path / "list.txt").write_text("./pool/part0/000.png\npool/part0/000.png\n# more\n")
    with pytest.raises(UserError, match="named twice"):
        opened_pool(tmp_path / "list.txt")


def test_a_folder_is_listed_once_until_it_changes(tmp_path):
    folder, told = write_folder(tmp_path / "pool", 10), []
    pool = opened_pool(folder, told)
    assert len(pool) == 10 and pool.names[0] == "part0/000.png"
    assert {number_of(pool, i) for i in range(10)} == set(range(10))
    assert len(told) == 1
    assert opened_pool(folder, told).names.sha256 == pool.names.sha256 and len(told) == 1
    picture(99).save(folder / "part1" / "099.png")
    assert len(opened_pool(folder, told)) == 11 and len(told) == 2
    assert len(pool.names) == 10 and pool.names[0] == "part0/000.png"  # still readable


def test_a_list_names_images_from_its_folder_or_from_the_root(tmp_path):
    folder = write_folder(tmp_path / "pool", 4)
    lines = ["# all of them", "", "pool/part1/001.png", str(folder / "part0/000.png")]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    pool = opened_pool(tmp_path / "list.txt")
    assert {number_of(pool, i) for i in range(len(pool))} == {0, 1}


def test_a_list_without_lines_does_not_fill_the_memory(tmp_path):
    file = tmp_path / "list.txt"
    with file.open("wb") as content:
        content.truncate(1 << 40)
    with pytest.raises(UserError, match="list.txt is no list: a line has 65536 characters or more"):
        opened_pool(file)
