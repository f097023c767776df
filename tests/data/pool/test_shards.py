"""Images in tar shards."""

import json

import pytest
import torch

import fewmask
from fewmask.data.pool.shards import MIXED
from fewmask.data.read_options import ReadOptions
from fewmask.errors import UserError
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    number_of,
    opened_pool,
    write_shards,
)


def test_a_shard_pool_answers_for_its_images(tmp_path):
    pool = opened_pool(write_shards(tmp_path / "shards", [30, 4]))
    assert pool.is_pool and pool.contents == "34 unlabeled images in 2 shard(s)"
    assert pool.file(0) is None and pool.shared_files({"/a.png"}) == set()
    assert pool.sample() == range(16)
    small = pool.as_read(ReadOptions(long_side=26))
    assert small.image(3).shape == (20, 26, 3) and small.fingerprint() == pool.fingerprint()


def test_shards_hold_what_they_hold(tmp_path):
    folder, told = write_shards(tmp_path / "shards", [5, 0, 3, 7]), []
    pool = opened_pool(folder, told)
    assert [number_of(pool, i) for i in range(len(pool))] == list(range(15))
    assert pool.names[5] == "002/000000" and len(told) == 1
    assert len(opened_pool(f"{folder}/*.tar", told)) == 15 and len(told) == 1
    assert len(opened_pool(f"{folder}/{{002..003}}.tar", told)) == 10


def test_an_epoch_gives_every_image_once_and_few_shards_at_a_time(tmp_path):
    sizes = [4 + i % 3 for i in range(3 * MIXED + 5)]
    pool = opened_pool(write_shards(tmp_path / "shards", sizes))
    orders = [[pool.index_at(place, (0, 1, e)) for place in range(len(pool))] for e in (0, 1)]
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(order) == list(range(len(pool)))
        shards = [pool.shards.locate(i)[0] for i in order]
        spans = [
            (shards.index(s), len(shards) - 1 - shards[::-1].index(s)) for s in range(len(sizes))
        ]
        in_use = [sum(a <= p <= b for a, b in spans) for p in range(len(order))]
        assert MIXED // 2 < max(in_use) <= MIXED
    assert [pool.index_at(p, (0, 1, 0)) for p in (40, 3, 100)] == [
        orders[0][p] for p in (40, 3, 100)
    ]


def test_a_run_from_shards_resumes_exactly(tmp_path):
    shards = write_shards(tmp_path / "shards", [6] * 3)
    words = [*TINY_WORDS, "model.encoder=test_resnet", "method=imas", f"data.pool={shards}"]
    words += ["training.schedule=constant", "training.evaluate_every=2"]
    longer = fewmask.train("synthetic", *words, "training.steps=6", out=tmp_path / "longer")
    half = fewmask.train("synthetic", *words, "training.steps=4", out=tmp_path / "half")
    again = fewmask.resume(half.folder, "training.steps=6")
    assert again.scores["teacher"].miou == longer.scores["teacher"].miou
    one, two = (
        torch.load(run.folder / "weights" / "last.pt", weights_only=False)["method"]
        for run in (again, longer)
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    facts = json.loads((half.folder / "splits" / "facts.json").read_text())
    assert facts["unlabeled"]["count"] == 18
    assert "18 images of data.pool" in (half.folder / "splits" / "unlabeled.txt").read_text()
    write_shards(tmp_path / "shards", [6] * 4)
    with pytest.raises(UserError, match="unlabeled images of .* have changed"):
        fewmask.resume(half.folder, "training.steps=8")
