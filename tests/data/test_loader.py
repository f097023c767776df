"""Batches are a pure function of (seed, step, position)."""

import numpy as np
import pytest
import torch

from fewmask.batch import Views
from fewmask.data import BatchStream, Classes, Data, LoaderConfig
from fewmask.data.loader import load_batches
from fewmask.data.sources.synthetic import Synthetic

VIEWS = Views(("imas",))
LOADER = LoaderConfig(crop=40, scale=(0.5, 1.5), labeled_batch=4, unlabeled_batch=4)


@pytest.fixture(scope="module")
def data() -> Data:
    config = Synthetic.Config(name="synthetic", labeled=6, unlabeled=10, val=2, size=48)
    return Synthetic(config).open()


def stream(data: Data, share=(0, 1), seed=0, views=VIEWS) -> BatchStream:
    return BatchStream(data, LOADER, views, seed, share)


def flat(batch) -> list[torch.Tensor]:
    tensors = [*batch.labeled]
    if batch.unlabeled is not None:
        tensors += [batch.unlabeled.weak, *batch.unlabeled.strong, *batch.unlabeled[2:4]]
    return tensors


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(flat(a), flat(b), strict=True))


def test_a_step_can_be_replayed(data):
    assert equal(stream(data)[7], stream(data)[7])
    assert not equal(stream(data)[7], stream(data)[8])
    assert not equal(stream(data)[7], stream(data, seed=1)[7])


def test_processes_share_one_global_batch(data):
    whole, parts = stream(data)[5], [stream(data, (k, 2))[5] for k in (0, 1)]
    for x, a, b in zip(flat(whole), flat(parts[0]), flat(parts[1]), strict=True):
        assert torch.equal(x, torch.cat([a, b]))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_the_batches(data, workers):
    loaded = load_batches([stream(data)], 3, 8, workers, pin=False)
    for step, rounds in enumerate(loaded, 3):
        assert equal(rounds[0], stream(data)[step])


def test_every_image_comes_once_an_epoch(data):
    seen = [name for step in range(5) for name in stream(data).names(step)[1]]
    assert len(seen) == 20
    assert set(seen[:10]) == set(seen[10:]) == set(data.unlabeled.names)
    assert seen[:10] != seen[10:]


def test_names_are_those_of_the_batch(data):
    index = stream(data)[2].unlabeled.image_index.tolist()
    assert stream(data).names(2)[1] == [data.unlabeled.names[i] for i in index]


def test_nothing_unused_is_loaded(data):
    assert stream(data, views=None)[0].unlabeled is None
    assert stream(data, views=Views())[0].unlabeled.strong == ()


def test_images_stay_uint8_until_the_device(data):
    batch = stream(data)[0]
    assert batch.labeled.image.dtype == batch.unlabeled.weak.dtype == torch.uint8
    assert batch.labeled.image.shape == (4, 40, 40, 3)
    assert batch.unlabeled.valid.dtype == torch.bool


def test_scenes_are_deterministic_and_hold_the_rare_class(data):
    config = Synthetic.Config(name="synthetic", labeled=16, unlabeled=1, val=8, size=48)
    first, second = Synthetic(config).open(), Synthetic(config).open()
    assert np.array_equal(first.labeled.image(3), second.labeled.image(3))
    counts = np.bincount(
        np.concatenate([first.labeled.mask(i).ravel() for i in range(16)]), minlength=7
    )
    assert (counts > 0).all() and counts[6] < counts[1:6].min()


class RareClass:
    """20 images; class 1 is a small spot in one of them."""

    names = [f"i{i}" for i in range(20)]

    def __len__(self):
        return 20

    def image(self, index):
        return np.full((60, 60, 3), index, np.uint8)

    def mask(self, index):
        mask = np.zeros((60, 60), np.uint8)
        if index == 7:
            mask[50:55, 5:10] = 1
        return mask


def test_class_balanced_crops_look_for_rare_classes():
    data = Data(Classes(["a", "b"]), RareClass(), RareClass(), RareClass())

    def share(balanced):
        config = LoaderConfig(crop=32, labeled_batch=8, scale=(1.0, 1.0), class_balanced=balanced)
        stream = BatchStream(data, config, None, seed=0)
        shows = [(stream[s].labeled.mask == 1).flatten(1).any(1) for s in range(12)]
        assert stream.names(3)[0] == [
            f"i{int(i)}" for i in stream[3].labeled.image.flatten(1).mode(1).values
        ]
        return torch.cat(shows).float().mean().item()

    assert share(False) < 0.1 and share(True) > 0.3
