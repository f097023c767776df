"""Advice is taken: what a message says to set is set, and the labels loaded are the true ones."""

import re
import shlex

import numpy as np
import pytest
import tifffile
from PIL import Image

from fewmask.batch import IGNORE
from fewmask.data.images import read_image
from tests.data.checks.photos import check, loaded, masks_of, rewrite, said
from tests.program import fewmask

OPTION = re.compile(r"(?:data|model)\.\w+='[^']+'|(?:data|model)\.\w+=[^\s',]*[^\s',.:;]")
RNG = np.random.default_rng(5)


def advised(text: str) -> list[str]:
    """The options that a message gives, in its order, as a shell would pass them on."""
    return [shlex.split(option)[0] for option in OPTION.findall(text)]


def labels(root, *words):
    """The labels that a run would train on, by the name of the image."""
    data, _ = loaded(root, *words)
    return {
        (subset, images.names[i]): images.mask(i)
        for subset, images in (("labeled", data.labeled), ("val", data.val))
        for i in range(len(images))
    }


def bands_of_three(root):
    """Each mask with three classes in bands, as labels by the same names."""
    before = labels(root)
    for mask in before.values():
        mask[22:] = 2
    rewrite(root, lambda mask, i: mask + 2 * (np.indices(mask.shape)[0] >= 22).astype(np.uint8))
    return before


def test_options_are_read_from_a_message():
    text = "Set data.binary=true: one class, or data.label_mapping='{0: 0}'. Else data.images=."
    assert advised(text) == ["data.binary=true", "data.label_mapping={0: 0}"]


COLORS = np.array([[0, 0, 0], [250, 9, 9], [9, 250, 9]], np.uint8)


def in_palette(colors):
    def change(mask, i):
        order = [0, 2, 1] if i % 2 else [0, 1, 2]
        picture = Image.fromarray(np.argsort(order).astype(np.uint8)[mask], "P")
        picture.putpalette(colors[order].ravel().tolist())
        return picture

    return change


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        (lambda mask, i: np.array([0, 128, 255], np.uint8)[mask], (1,)),  # 255 is a class, too
        (lambda mask, i: np.array([7, 70, 170], np.uint8)[mask], (0,)),
        (lambda mask, i: np.array([0, 9, 1000], np.uint16)[mask], (0,)),
        (lambda mask, i: COLORS[mask], (0,)),
        (in_palette(COLORS), (0,)),
    ],
    ids=["0 128 255", "gaps", "16 bits", "colors", "palettes"],
)
def test_masks_of_three_classes(change, taken, clean):
    truth = bands_of_three(clean)
    pixels = np.bincount(np.concatenate([mask.ravel() for mask in truth.values()]))
    assert pixels[0] > pixels[1] > pixels[2]  # colors are numbered in this order
    rewrite(clean, change)
    options = advised(said(clean))
    given = [options[place] for place in taken]
    assert check(clean, *given).exit_code == 0
    for name, mask in labels(clean, *given).items():
        assert (mask == truth[name]).all(), name


@pytest.mark.parametrize("place", [0, 1], ids=["label_mapping", "binary"])
def test_masks_of_0_and_255(place, clean):
    truth = labels(clean)
    rewrite(clean, lambda mask, i: mask * 255)
    option = advised(said(clean))[place]
    assert all((mask == truth[name]).all() for name, mask in labels(clean, option).items())


@pytest.mark.parametrize(("place", "meaning"), [(0, 1), (1, IGNORE)])
def test_0_and_255_beside_0_and_1(place, meaning, clean):
    truth = labels(clean)
    rewrite(clean, lambda mask, i: mask * (255 if i % 2 else 1))
    odd = {file.stem for file in masks_of(clean)[1::2]}
    option = advised(said(clean))[place]
    for name, mask in labels(clean, option).items():
        masked = truth[name] == 1
        found = {int(value) for value in mask[masked]}
        assert found <= {1, meaning} and (mask[~masked] == 0).all()
        assert meaning == 1 or (found == {IGNORE}) == (name[1].removeprefix("val/") in odd)


def test_negative_values_mean_no_label(clean):
    truth = labels(clean)

    def change(mask, i):
        mask = mask.astype(np.int32)
        mask[:2] = -1
        return Image.fromarray(mask)

    for i, file in enumerate(masks_of(clean)):
        change(np.asarray(Image.open(file)), i).save(file.with_suffix(".tif"))
        file.unlink()
    option = advised(said(clean))[0]
    assert option == "data.ignore=[-1, 255]"
    for name, mask in labels(clean, option).items():
        assert (mask[:2] == IGNORE).all() and (mask[2:] == truth[name][2:]).all()


def test_names_for_1_to_k_and_0_for_no_label(clean):
    truth = bands_of_three(clean)
    rewrite(clean, lambda mask, i: (mask + 1) * (mask < 3) * (np.indices(mask.shape)[1] > 1))
    names = "data.names=[a, b, c]"
    options = advised(said(clean, names))[1:]
    assert [option.partition("=")[0] for option in options] == ["data.ignore", "data.label_mapping"]
    for name, mask in labels(clean, names, *options).items():
        assert (mask[:, :2] == IGNORE).all() and (mask[:, 2:] == truth[name][:, 2:]).all()


def test_numbers_of_objects_are_one_class(clean):
    truth = labels(clean)
    columns = np.indices((30, 40))[1] // 6
    rewrite(clean, lambda mask, i: mask * (1 + columns + 7 * i).astype(np.uint16))
    option = next(word for word in advised(said(clean)) if word.startswith("data.binary"))
    assert all((mask == truth[name]).all() for name, mask in labels(clean, option).items())


def test_a_value_that_nobody_mapped(clean):
    truth = bands_of_three(clean)
    words = ["data.names=[a, b]", "data.label_mapping={0: 0, 2: 1}"]
    option = advised(said(clean, *words))[0]
    for name, mask in labels(clean, *words, option).items():
        assert ((mask == IGNORE) == (truth[name] == 1)).all()
        assert ((mask == 1) == (truth[name] == 2)).all()


@pytest.mark.parametrize("names", [(), ("data.names=[soil, weed]",)], ids=["unnamed", "two names"])
@pytest.mark.parametrize("in_colors", [False, True], ids=["numbers", "colors"])
def test_many_values_are_drafted(names, in_colors, clean, tmp_path):
    colors = RNG.integers(0, 255, (18, 3)).astype(np.uint8)
    stripes = (np.indices((30, 40))[1] * 18 // 40 % 18).astype(np.uint8)
    stripes[:, :3] = 0
    rewrite(clean, lambda mask, i: colors[stripes] if in_colors else stripes * 10)
    text = said(clean, *names)
    assert max(len(line) for line in text.splitlines()) < 400
    assert {*advised(text)} <= {"data.binary=true"}
    assert "fewmask check DATA --write data.yaml drafts" in text
    file = clean / "data.yaml"
    fewmask("check", clean, "data.val=val", *names, "--write", file, code=2)
    data, _ = loaded(file)
    assert data.classes.names[:2] == (("soil", "weed") if names else ("class 0", "class 1"))
    value = colors[stripes].astype(int) @ [65536, 256, 1] if in_colors else stripes
    found = {(int(v), int(label)) for v, label in zip(value.flat, data.val.mask(0).flat, strict=1)}
    assert len(found) == len(data.classes) == 18  # one label for each value
    assert in_colors or found == {(i, i) for i in range(18)}


@pytest.mark.parametrize(
    ("name", "option"),
    [("{}_mask", "data.mask_suffix=_mask"), ("seg_{}", "data.mask_prefix=seg_")],
)
def test_masks_of_other_names(name, option, clean):
    truth = labels(clean)
    for file in masks_of(clean):
        file.rename(file.with_stem(name.format(file.stem)))
    assert advised(said(clean)) == [option]
    found = labels(clean, option)
    assert found.keys() == truth.keys()
    assert all((mask == truth[key]).all() for key, mask in found.items())


def test_masks_of_another_size(clean):
    truth = labels(clean)
    rewrite(clean, lambda mask, i: np.repeat(np.repeat(mask, 2, 0), 2, 1))
    options = sorted({*advised(said(clean))})
    assert options == ["data.resize_masks=true"]
    assert all((mask == truth[name]).all() for name, mask in labels(clean, *options).items())


def test_arrays_with_names(clean):
    truth = labels(clean)
    for file in masks_of(clean):
        mask = np.asarray(Image.open(file))
        np.savez(file.with_suffix(".npz"), depth=np.zeros((30, 40)), classes=mask)
        file.unlink()
    text = said(clean)
    assert advised(text)[0] == "data.mask_array=depth" and "(depth, classes)" in text
    found = labels(clean, "data.mask_array=classes")
    assert all((mask == truth[name]).all() for name, mask in found.items())


def test_images_of_many_bands(clean):
    for file in (clean / "images").parent.rglob("images/*.png"):
        bands = RNG.integers(0, 255, (30, 40, 5)).astype(np.uint8)
        kind = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(file.with_suffix(".tif"), bands, **kind)
        file.unlink()
    option = advised(said(clean))[0]
    assert option == "model.in_channels=5" and check(clean, option).exit_code == 0
    file = next((clean / "images").glob("*.tif"))
    assert read_image(file, 5).shape == (30, 40, 5)
