"""Every source obeys every common option, built-in or a user's own, and is opened once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.batch import IMAGENET, Views
from fewmask.config import find, validate
from fewmask.data import (
    SOURCES,
    BatchStream,
    Classes,
    Data,
    Dataset,
    DataSource,
    Files,
    LabelTable,
    LoaderConfig,
    open_data,
)
from fewmask.errors import UserError
from tests.data.pools import write_folder
from tests.data.trees import SIZES, quiet, tree

SHAPE = (20, 30)


class Noise(Dataset):
    """A user's own data set, made in memory."""

    def __init__(self, name, channels=3):
        self.names = [f"{name}{i}" for i in range(4)]
        self.channels, self.reads = channels, []

    def image(self, index):
        self.reads.append(index)
        rng = np.random.default_rng(index)
        return rng.integers(0, 256, (*SHAPE, self.channels), dtype=np.uint8)

    def mask(self, index):
        return np.random.default_rng(index).integers(0, 2, SHAPE).astype(np.uint8)


class Own(DataSource):
    """A user's own source of images in memory. It looks at no common option."""

    opened = 0

    class Config(DataSource.Config):
        channels: int = 3

    def open(self):
        self.opened += 1
        sets = [Noise(name, self.config.channels) for name in "luv"]
        return Data(Classes(["a", "b"]), *sets)


class OwnFiles(DataSource):
    """A user's own source of files, as in docs/extending.md."""

    class Config(DataSource.Config):
        root: Path

    def open(self):
        images = sorted((self.config.root / "images").glob("*.jpg"))
        masks = [self.config.root / "masks" / f"{image.stem}.png" for image in images]
        masks = [mask if mask.exists() else None for mask in masks]
        files = Files(images, masks, [image.stem for image in images], LabelTable(2))
        return Data(Classes(["a", "b"]), files.subset([0, 1]), files.subset([5]), files.subset([2]))


@pytest.fixture
def source(request, tmp_path, photos):
    """Builds a source by its name, with further options."""

    def build(**options):
        name = request.param
        kind = {"own": Own, "own files": OwnFiles}.get(name) or find(name, SOURCES, "data")
        if name in SIZES:
            root = tmp_path / "tree"
            tree(name, root) if not root.exists() else None
            options |= {"root": root, "labeled": SIZES[name][0]}
        elif name in ("folder", "own files"):
            options["root"] = photos
        elif name == "synthetic":
            options |= {"labeled": 3, "unlabeled": 4, "val": 2, "size": 40}
        return kind(validate(kind.Config, {"name": name, **options}, "data"))

    return build


every_source = pytest.mark.parametrize("source", [*SOURCES, "own", "own files"], indirect=True)


def subsets(data):
    return data.labeled, data.unlabeled, data.val


@every_source
def test_images_have_the_long_side_and_masks_keep_their_size(source):
    plain, small = open_data(source(), tell=quiet), open_data(source(long_side=16), tell=quiet)
    for a, b in zip(subsets(plain), subsets(small), strict=True):
        assert a.names == b.names
        assert max(b.image(0).shape[:2]) == 16 < max(a.image(0).shape[:2])
    assert np.array_equal(plain.labeled.mask(0), small.labeled.mask(0))
    stream = BatchStream(small, LoaderConfig(crop=16, labeled_batch=1), None, seed=0)
    assert stream[0].labeled.mask.shape == (1, 16, 16)


@every_source
def test_what_was_read_stays_in_memory(source):
    data = open_data(source(in_memory=True, long_side=16), tell=quiet)
    for dataset in (*subsets(data), *subsets(data)):  # first read, then found
        dataset.image(0), data.labeled.mask(0)
    for dataset in subsets(data):
        assert dataset.image(0) is dataset.image(0)
    assert data.labeled.mask(0) is data.labeled.mask(0)
    again = open_data(source(long_side=16), tell=quiet)
    assert np.array_equal(again.labeled.image(0), data.labeled.image(0))


@every_source
def test_decoded_copies_are_kept_or_a_note_says_why_not(source, tmp_path):
    told: list[str] = []
    data = open_data(source(cache=tmp_path / "kept", long_side=16), tell=told.append)
    for dataset in subsets(data):
        dataset.image(0)
    copies = len(list(tmp_path.glob("kept/*/*.npy")))
    is_files = all(dataset.is_cached for dataset in subsets(data))
    assert is_files == isinstance(data.val, Files)
    assert copies >= 3 if is_files else copies == 0
    assert any("data.cache is not used" in note for note in told) == (not is_files)


def test_a_data_set_of_ones_own_cannot_claim_to_be_cached(tmp_path, monkeypatch):
    monkeypatch.setattr(Noise, "can_cache", True, raising=False)
    told: list[str] = []
    options = {"name": "own", "cache": tmp_path / "kept", "long_side": 16}
    data = open_data(Own(validate(Own.Config, options, "data")), tell=told.append)
    assert not data.labeled.is_cached and not (tmp_path / "kept").exists()
    assert any("data.cache is not used" in note for note in told)
    del options["long_side"]
    told.clear()
    open_data(Own(validate(Own.Config, options, "data")), tell=told.append)
    assert any("data.cache is not used" in note for note in told)


@every_source
def test_a_pool_replaces_the_unlabeled_images_until_it_is_taken_away(source, tmp_path):
    pool = write_folder(tmp_path / "pool", 6)
    data = open_data(source(pool=str(pool), long_side=26), tell=quiet)
    assert len(data.unlabeled) == 6 and data.unlabeled.image(0).shape == (20, 26, 3)
    own = data.without_pool()
    assert own.unlabeled.names == open_data(source(), tell=quiet).unlabeled.names
    assert max(own.unlabeled.image(0).shape) == 26 and own.without_pool() is own
    assert "data.pool" in data.notes[-1] and not any("data.pool" in note for note in own.notes)
    unused = open_data(source(pool=str(pool)), needs_unlabeled=False, tell=quiet)
    assert unused.unlabeled.names == own.unlabeled.names


@every_source
def test_image_labels_are_read(source, tmp_path):
    data = open_data(source(), tell=quiet)
    name = data.classes.names[1]
    rows = "".join(f'"{image}","{name}"\n' for image in data.unlabeled.names)
    (tmp_path / "labels.csv").write_text(rows)
    labels = tmp_path / "labels.csv"
    found = open_data(source(image_labels=labels), tell=quiet).image_labels
    assert found.shape == (len(data.unlabeled), len(data.classes))
    assert found[:, 1].all() and found.sum() == len(found)
    unused = open_data(source(image_labels=labels), needs_unlabeled=False, tell=quiet)
    assert unused.image_labels is None


@every_source
def test_images_of_other_bands_are_refused(source):
    with pytest.raises(UserError, match=r"3 band\(s\), but model.in_channels=4"):
        open_data(source(), channels=4, tell=quiet)


@every_source
def test_a_source_is_opened_once(source, monkeypatch):
    built, calls = source(), []
    opened = type(built).open
    monkeypatch.setattr(type(built), "open", lambda self: calls.append(1) or opened(self))
    open_data(built, tell=quiet)
    assert calls == [1]


def test_images_of_four_bands_are_read_from_a_users_own_source():
    source = Own(Own.Config(name="own", channels=4, long_side=15))
    data = open_data(source, channels=4, tell=quiet)
    assert data.labeled.image(0).shape == (10, 15, 4)
    stream = BatchStream(
        data,
        LoaderConfig(crop=8, unlabeled_batch=2),
        Views(("imas",)),
        seed=0,
        normalization=IMAGENET.for_bands(4),
    )
    assert stream[0].unlabeled.weak.shape == (2, 8, 8, 4)


def test_images_in_memory_are_made_once():
    data = open_data(Own(Own.Config(name="own", in_memory=True)), tell=quiet)
    data.labeled.image(1), data.labeled.image(1)
    inner = data.labeled.place(0)[0]
    before = len(inner.reads)
    data.labeled.image(1)
    assert len(inner.reads) == before


def test_a_class_that_is_no_data_set_is_refused(monkeypatch):
    class Duck:
        names = ("a", "b")

    monkeypatch.setattr(
        Own, "open", lambda self: Data(Classes(["a", "b"]), Noise("l"), Duck(), Noise("v"))
    )
    with pytest.raises(UserError, match=r"unlabeled images are a Duck.*Derive .*fewmask.data.Data"):
        open_data(Own(Own.Config(name="own")), tell=quiet)


def test_masks_of_another_size_than_their_image_are_found_with_a_long_side(photos):
    Image.new("L", (61, 40), 1).save(photos / "masks" / "p1.png")
    source = OwnFiles(OwnFiles.Config(name="own", root=photos, long_side=16))
    with pytest.raises(UserError, match=r"p1.png is 61x40 pixels, but its image p1.jpg is 60x40"):
        open_data(source, tell=quiet)
