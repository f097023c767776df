"""Shards behind a URL on a small disk."""

import errno
import json
from pathlib import Path

import pytest

from fewmask.data import download_bar
from fewmask.data.pool import downloads as downloads_module
from fewmask.data.pool import shard_files
from fewmask.data.pool import shard_sizes as shard_sizes_module
from fewmask.data.pool.downloads import Downloads
from fewmask.data.pool.shard_files import list_shards
from fewmask.data.pool.shard_sizes import shard_sizes
from fewmask.data.pool.shards import MIXED, ShardPool
from fewmask.errors import UserError
from tests.data.pools import (
    number_of,
    write_shards,
)
from tests.server import serving


def test_shards_stream_through_a_small_disk(tmp_path, served):
    url, asked = served
    folder = write_shards(tmp_path / "shards", [4] * 40)
    bytes_of_one = (folder / "000.tar").stat().st_size
    downloads = Downloads(tmp_path / "kept", limit=2 * MIXED * bytes_of_one)
    urls = list_shards(f"{url}/shards/{{000..039}}.tar")
    (folder / "sizes.json").write_text(json.dumps({f"{i:03}.tar": 4 for i in range(40)}))
    pool = ShardPool(urls, shard_sizes(urls, downloads, tmp_path / "facts", print), downloads)
    assert [path for path in asked if path.endswith(".tar")] == []  # opened without reading any
    numbers, most = [], 0
    for place in range(len(pool)):
        numbers.append(number_of(pool, pool.index_at(place, (0, 1, 0))))
        most = max(most, len(list((tmp_path / "kept").glob("*.tar"))))
    assert sorted(numbers) == list(range(160))
    assert most <= 2 * MIXED + 1
    fetched = [path for path in asked if path.endswith(".tar")]
    assert len(fetched) == len(set(fetched)) == 40  # each once in an epoch


def test_a_shard_that_cannot_be_had_is_named(served, tmp_path):
    url, _ = served
    downloads = Downloads(tmp_path / "kept", limit=10**9)
    with pytest.raises(UserError, match="Cannot get http.*none.tar: FileNotFoundError"):
        downloads.open(f"{url}/none.tar")
    with pytest.raises(UserError, match="Cannot get nosuch://.*ValueError"):
        downloads.open("nosuch://bucket/x.tar")


def test_where_the_disk_is_full_shards_of_the_past_go(served, tmp_path, monkeypatch):
    url, _ = served
    write_shards(tmp_path / "shards", [3, 3, 3])
    kept, download, room = tmp_path / "kept", downloads_module.download_shard, 2

    def download_while_there_is_room(shard: str, file: Path) -> None:
        if len(list(kept.glob("*.tar"))) >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        download(shard, file)

    monkeypatch.setattr(downloads_module, "download_shard", download_while_there_is_room)
    downloads = Downloads(kept, limit=10**9)
    for shard in range(3):
        assert downloads.open(f"{url}/shards/{shard:03}.tar").read(1)
    assert [file.name[-7:] for file in kept.glob("*.tar")] == ["002.tar"]
    room = 0
    with pytest.raises(UserError, match="001.tar in .*No space left.*XDG_CACHE_HOME"):
        downloads.open(f"{url}/shards/001.tar")


def test_a_server_that_drips_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download_bar, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(downloads_module, "ATTEMPTS", 1)
    downloads = Downloads(tmp_path / "kept", limit=10**9)
    with (
        serving({"/a.tar": bytes(1000)}, pause_seconds=0.05) as url,
        pytest.raises(UserError, match="a.tar: OSError: fewer than 60000 bytes arrived"),
    ):
        downloads.open(f"{url}/a.tar")
    assert not [*(tmp_path / "kept").glob("*.tar*temporary")]


def test_a_server_whose_headers_never_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads_module, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(shard_sizes_module, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(shard_files, "LISTING_SECONDS", 0.2)
    downloads = Downloads(tmp_path / "kept", limit=10**9)
    with serving({}, begins=False) as url:
        with pytest.raises(UserError, match="a.tar: NoAnswer: no answer within 0.2 seconds"):
            shard_sizes([f"{url}/a.tar"], downloads, tmp_path / "facts", print)
        with pytest.raises(UserError, match="NoAnswer: no answer within 0.2 seconds"):
            list_shards(f"{url}/*.tar")
