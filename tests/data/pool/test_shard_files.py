"""Where shards are, and where the images stand in one."""

from io import BytesIO
from pathlib import Path

import pytest

from fewmask.data.pool.shard_files import image_table, list_shards
from fewmask.errors import UserError
from tests.data.pools import (
    BACKWARDS,
    flip_header,
    header_at,
    opened_pool,
    tar_head,
    write_shards,
)


def test_patterns_name_shards(tmp_path):
    folder = write_shards(tmp_path / "shards", [1, 1, 1])
    names = [Path(url).name for url in list_shards(f"{folder}/{{001..002}}.tar")]
    assert names == ["001.tar", "002.tar"]
    assert len(list_shards(f"{folder}/*.tar")) == 3
    with pytest.raises(UserError, match="there is no shard .*007.tar"):
        list_shards(f"{folder}/007.tar")
    with (folder / "000.tar").open("rb") as file:
        assert image_table(file, "000.tar").shape == (1, 2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:3000]), "damaged or not a plain tar"),
        (lambda f: f.write_bytes(b"no tar at all" * 100), "damaged or not a plain tar"),
        (lambda f: flip_header(f, 2), "no header at byte"),
        (lambda f: f.write_bytes(f.read_bytes()[: header_at(f, 3)]), "no header at byte"),
        (lambda f: f.unlink(), "there is no shard"),
    ],
)
def test_a_damaged_shard_is_named(tmp_path, damage, message):
    folder = write_shards(tmp_path / "shards", [5])
    damage(folder / "000.tar")
    with pytest.raises(UserError, match=message):
        opened_pool(folder / "000.tar")


@pytest.mark.parametrize(
    "content",
    [
        tar_head(b"0", b"\xff" * 12),  # a size below 0
        BACKWARDS,
        tar_head(b"0", b"\x80" + b"\0" * 3 + b"\xff" * 8),  # beyond 64 bits
        tar_head(b"L", b"77777777777\0"),  # a name of 8 GiB
        (tar_head(b"L", b"00000000013\0") + b"0123456789".ljust(512, b"\0")) * 3000,
    ],
    ids=["below 0", "backwards", "2**64", "a long name", "heads in heads"],
)
def test_heads_that_cannot_be_are_one_message(content, tmp_path):
    with pytest.raises(UserError, match="is damaged or not a plain tar file"):
        image_table(BytesIO(content + bytes(1024)), "a.tar")


@pytest.mark.parametrize(
    "range_", ["{0..999999999}", "{0..999}/{0..999}", "{0..99999999999999999}"]
)
def test_a_range_of_too_many_shards_is_refused_at_once(range_):
    with pytest.raises(UserError, match="more than 100,000 shards"):
        list_shards(f"/nowhere/{range_}.tar")
