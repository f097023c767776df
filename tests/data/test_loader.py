"""Batches loaded ahead of time are those of the stream."""

import pytest
import torch

from fewmask.batch import Views
from fewmask.cli.words import recipe_from_words
from fewmask.data import (
    BatchStream,
    Data,
    LoaderConfig,
    loader,
)
from fewmask.data import (
    open_data as open_source,
)
from fewmask.data.loader import load_batches
from fewmask.data.sources.folder import Folder
from fewmask.data.sources.synthetic import Synthetic
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    write_shards,
)

VIEWS = Views(("imas",))
LOADER = LoaderConfig(crop=40, scale=(0.5, 1.5), labeled_batch=4, unlabeled_batch=4)


@pytest.fixture(scope="module")
def data() -> Data:
    config = Synthetic.Config(name="synthetic", labeled=6, unlabeled=10, val=2, size=48)
    return Synthetic(config).open()


def stream(data: Data) -> BatchStream:
    return BatchStream(data, LOADER, VIEWS, seed=0)


def equal(a, b) -> bool:
    def flat(batch):
        return [*batch.labeled, batch.unlabeled.weak, *batch.unlabeled.strong]

    rest = all(torch.equal(x, y) for x, y in zip(a.unlabeled[2:4], b.unlabeled[2:4], strict=True))
    return rest and all(torch.equal(x, y) for x, y in zip(flat(a), flat(b), strict=True))


def test_a_file_that_vanishes_is_named(photos):
    data = open_source(Folder(Folder.Config(name="folder", root=photos)))
    for file in data.unlabeled.images:
        file.unlink()
    stream = BatchStream(data, LoaderConfig(crop=16, unlabeled_batch=1), Views(), seed=0)
    with pytest.raises(UserError, match="There is no image"):
        list(load_batches([stream], 0, 2, 1, pin=False))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_the_batches(data, workers):
    loaded = load_batches([stream(data)], 3, 8, workers, pin=False)
    for step, rounds in enumerate(loaded, 3):
        assert equal(rounds[0], stream(data)[step])


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_from_shards_do_not_depend_on_workers_or_history(tmp_path, workers):
    shards = write_shards(tmp_path / "shards", [4] * 20)
    words = [*TINY_WORDS, "method=imas", f"data.pool={shards}"]
    data = open_data(recipe_from_words(["synthetic", *words]))
    stream = BatchStream(data, LoaderConfig(crop=32), Views(("imas",)), seed=0)
    for step, rounds in enumerate(load_batches([stream], 7, 12, workers, pin=False), 7):
        fresh = BatchStream(data, LoaderConfig(crop=32), Views(("imas",)), seed=0)[step]
        assert torch.equal(rounds[0].unlabeled.weak, fresh.unlabeled.weak)


def test_full_shared_memory_neither_hangs_nor_changes_the_batches(data, monkeypatch):
    def full(tensor):
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)  # workers are forked
    with pytest.warns(UserWarning, match="--shm-size") as told:
        loaded = [*load_batches([stream(data)], 0, 3, 1, pin=False)]
    assert len(told) == 1
    assert all(equal(rounds[0], stream(data)[step]) for step, rounds in enumerate(loaded))


def test_processes_that_cannot_start_are_done_without(data, monkeypatch):
    class Refused(loader.DataLoader):
        def __iter__(self):
            if self.num_workers:
                raise OSError(28, "No space left on device")
            return super().__iter__()

    monkeypatch.setattr(loader, "DataLoader", Refused)
    with pytest.warns(UserWarning, match="between the steps"):
        loaded = [*load_batches([stream(data)], 0, 2, 2, pin=False)]
    assert all(equal(rounds[0], stream(data)[step]) for step, rounds in enumerate(loaded))
