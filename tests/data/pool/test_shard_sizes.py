"""How many images are in each shard."""

import pytest

from fewmask.errors import UserError
from tests.data.pools import (
    number_of,
    opened_pool,
    write_shards,
)


def test_sizes_that_are_not_true_are_found_out(tmp_path):
    folder = write_shards(tmp_path / "shards", [5, 5])
    (folder / "sizes.json").write_text('{"000.tar": 5, "001.tar": 9}')
    pool = opened_pool(folder)
    assert len(pool) == 14
    with pytest.raises(UserError, match="holds 5 images, but 9 were counted"):
        pool.image(7)
    for wrong in (
        '{"000.tar": 1000000000000000000000}',
        "[" * 200_000,
        "[5, 5]",
        '{"000.tar": -1}',
        '{"000.tar": 2.5}',
        '{"000.tar": Infinity}',
        "{",
    ):
        (folder / "sizes.json").write_text(wrong)
        with pytest.raises(UserError, match="is not like"):
            opened_pool(folder)


def test_without_a_list_of_sizes_each_shard_is_read_once(tmp_path, served):
    url, asked = served
    write_shards(tmp_path / "secret", [3, 4])
    told: list[str] = []
    for _ in range(2):
        pool = opened_pool(f"{url}/secret/{{000..001}}.tar", told)
        assert [number_of(pool, i) for i in range(7)] == list(range(7))
    assert len(told) == 1 and asked.count("/secret/000.tar") == 1
    assert pool.names.sha256 == opened_pool(tmp_path / "secret").names.sha256
