"""Batches are a pure function of (seed, step, position)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fewmask.batch import Views, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.data import (
    BatchStream,
    Classes,
    Data,
    Dataset,
    LoaderConfig,
)
from fewmask.data.sources.synthetic import Synthetic
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    opened_pool,
    write_folder,
)

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


def test_every_image_comes_once_an_epoch(data):
    seen = [i for s in range(5) for i in stream(data)[s].unlabeled.image_index.tolist()]
    assert len(seen) == 20
    assert set(seen[:10]) == set(seen[10:]) == set(range(10))
    assert seen[:10] != seen[10:]


def test_nothing_unused_is_loaded(data):
    assert stream(data, views=None)[0].unlabeled is None
    assert stream(data, views=Views())[0].unlabeled.strong == ()


def test_images_stay_uint8_until_the_device(data):
    batch = stream(data)[0]
    assert batch.labeled.image.dtype == batch.unlabeled.weak.dtype == torch.uint8
    assert batch.labeled.image.shape == (4, 40, 40, 3)
    assert batch.unlabeled.valid.dtype == torch.bool


class RareClass(Dataset):
    """20 images; class 1 is a small spot in one of them."""

    names = [f"i{i}" for i in range(20)]

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
        return torch.cat(shows).float().mean().item()

    assert share(False) < 0.1 and share(True) > 0.3


def test_image_labels_travel_with_their_images(tmp_path):
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=2, unlabeled=5, val=1)).open()
    present = np.eye(5, 7, dtype=bool)
    stream = BatchStream(
        replace(data, image_labels=present),
        LoaderConfig(crop=16, labeled_batch=2, unlabeled_batch=5),
        Views(),
        seed=0,
    )
    batch = to_device(stream[0], "cpu", stream.normalization)
    assert batch.unlabeled.present.nonzero()[:, 1].tolist() == batch.unlabeled.image_index.tolist()


def test_an_image_of_a_pool_that_cannot_be_read_is_skipped(tmp_path):
    folder = write_folder(tmp_path / "pool", 30)
    pool = opened_pool(folder)
    data = open_data(recipe_from_words(["synthetic", *TINY_WORDS, f"data.pool={folder}"]))
    damaged = [i for i in range(30) if i % 4 == 1]
    for i in damaged:
        pool.file(i).write_bytes(b"\x89PNG")
    stream = BatchStream(data, LoaderConfig(crop=32, unlabeled_batch=30), Views(), seed=0)
    with pytest.warns(UserWarning, match="Skipped an image, .* Cannot read image"):
        numbers = stream[0].unlabeled.image_index.tolist()
    assert set(numbers) == set(range(30)) - set(damaged)


def in_view(data: Data, view: str | None, views: Views | None = VIEWS) -> BatchStream:
    return BatchStream(data, LOADER.model_copy(update={"labeled_view": view}), views, seed=0)


def test_labeled_crops_can_have_other_colors_but_keep_their_masks(data):
    plain, colored = in_view(data, None)[3], in_view(data, "unimatch")[3]
    changed = (plain.labeled.image != colored.labeled.image).flatten(1).any(1)
    assert changed.float().mean() > 0.5  # a view leaves some images as they are
    assert torch.equal(plain.labeled.mask, colored.labeled.mask)
    # The unlabeled images are as they were.
    for x, y in zip(flat(plain)[2:], flat(colored)[2:], strict=True):
        assert torch.equal(x, y)


def test_labeled_crops_in_other_colors_can_be_replayed(data):
    assert equal(in_view(data, "unimatch")[3], in_view(data, "unimatch")[3])


def whitened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full_like(image, 255)


def test_the_view_of_labeled_crops_can_be_your_own_and_needs_no_unlabeled_images(data):
    batch = in_view(data, f"{__name__}:whitened", views=None)[0]
    assert (batch.labeled.image == 255).all() and batch.unlabeled is None


def test_a_view_of_labeled_crops_that_does_not_exist_is_refused(data):
    with pytest.raises(
        UserError, match="loader.labeled_view asks for .*'unimach'.* Known: .*unimatch"
    ):
        in_view(data, "unimach")


def test_padding_of_labeled_crops_is_told_apart_from_ignored_pixels(data):
    """At half of its size an image fills 24 of 40 pixels, whatever its mask ignores."""
    masks = data.labeled

    class Ignored(Dataset):
        names = masks.names

        def image(self, index):
            return masks.image(index)

        def mask(self, index):
            return np.full_like(masks.mask(index), 255)

    small = LOADER.model_copy(update={"scale": (0.5, 0.5)})
    for labeled in (masks, Ignored()):
        batch = BatchStream(replace(data, labeled=labeled), small, None, seed=0)[3]
        assert batch.labeled_valid[:, :24, :24].all() and batch.labeled_valid.sum() == 4 * 24 * 24
        assert (batch.labeled.mask[~batch.labeled_valid] == 255).all()


CROP_LABELS = Views(("pseudoseg",), crop_labels=True)


def test_masks_may_tell_which_classes_an_unlabeled_crop_shows(data):
    """Those of the crop, and not those of the whole image."""
    labeled = replace(data, unlabeled=data.labeled, image_labels=None)
    batch = stream(labeled, views=CROP_LABELS)[5]
    whole = stream(labeled, views=Views(("pseudoseg",)))[5]
    assert (
        torch.equal(batch.unlabeled.weak, whole.unlabeled.weak) and whole.unlabeled.present is None
    )
    present = batch.unlabeled.present
    assert present.shape == (4, len(data.classes)) and present.dtype == torch.bool
    for shown, index in zip(present, batch.unlabeled.image_index.tolist(), strict=True):
        in_image = {*np.unique(data.labeled.mask(index)).tolist()} - {255}
        assert {*shown.nonzero().flatten().tolist()} <= in_image

    class Halves(Dataset):
        names = ["a"]

        def image(self, index):
            return np.zeros((40, 200, 3), np.uint8)

        def mask(self, index):
            return np.repeat(np.array([[1] * 100 + [2] * 100], np.uint8), 40, axis=0)

    exact = LOADER.model_copy(update={"scale": (1.0, 1.0), "crop": 40})
    halves = BatchStream(replace(data, unlabeled=Halves()), exact, CROP_LABELS, seed=0)
    shown = torch.cat([halves[step].unlabeled.present for step in range(8)])
    assert not shown[:, 0].any() and not shown[:, 3:].any() and shown[:, 1:3].any(dim=1).all()
    assert {*shown.sum(dim=1).tolist()} == {1, 2}


def test_unlabeled_images_without_masks_cannot_tell_what_their_crops_show(data):
    class Bare(Dataset):
        names = ["a"]

        def image(self, index):
            return np.zeros((40, 40, 3), np.uint8)

    with pytest.raises(UserError, match="crop_labels=true .* the image a has none"):
        BatchStream(replace(data, unlabeled=Bare()), LOADER, CROP_LABELS, seed=0)
