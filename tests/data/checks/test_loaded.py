"""Images as they are loaded: what training sees, and not what lies on disk."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.data.checks.photos import NAMED, loaded, said

tifffile = pytest.importorskip("tifffile")


def rescaled(root, change):
    """Saves each image as a gray TIFF of other values: `change(gray, number)`."""
    for number, file in enumerate(sorted(root.rglob("images/*.png"))):
        gray = np.asarray(Image.open(file).convert("L")).astype(np.float64)
        tifffile.imwrite(file.with_suffix(".tif"), change(gray, number))
        file.unlink()


KINDS = {
    "decibels": (lambda gray: (-30 + gray / 10).astype(np.float32), -30, -4.5),
    "hounsfield": (lambda gray: (gray * 4 - 1000).astype(np.int16), -1000, 20),
    "12 bits": (lambda gray: (gray * 16).astype(np.uint16), 0, 4080),
    "standardized": (lambda gray: ((gray - 128) / 64).astype(np.float32), -2, 2),
    "reflectance": (lambda gray: (gray / 255).astype(np.float32), 0, 1),
    "16 bits": (lambda gray: (gray * 257).astype(np.uint16), 0, 65535),
}


def gray_of(dataset, index):
    return dataset.image(index)[..., 0].astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_any_range_come_out_as_the_photos_they_were(kind, clean):
    change, low, high = KINDS[kind]
    before = np.asarray(Image.open(clean / "images" / "p00.png").convert("L")).astype(float)
    rescaled(clean, lambda gray, number: change(gray))
    own_size = "data.long_side=null"
    data, told = loaded(clean, own_size)
    assert data.value_range == pytest.approx((low, high), abs=0.2 * (high - low))
    assert np.corrcoef(gray_of(data.labeled, 0).ravel(), before.ravel())[0, 1] > 0.99
    assert gray_of(data.labeled, 0).std() > 0.9 * before.std()
    assert any("The images have more than 8 bits" in line for line in told)
    assert "The images have more than 8 bits" in said(clean)
    given, _ = loaded(clean, own_size, f"data.range=[{low}, {high}]")
    assert np.abs(gray_of(given.labeled, 0) - before).max() <= 1


def test_one_scale_for_all_images_whatever_single_pixels_are(clean):
    def reflectance(gray, number):
        values = (0.3 + gray / 1000).astype(np.float32)
        if number % 2:
            values[0, 0] = 1.3  # a cloud
        return values

    rescaled(clean, reflectance)
    data, _ = loaded(clean)
    means = [data.labeled.image(i).mean() for i in range(len(data.labeled))]
    assert max(means) - min(means) < 8 and min(means) > 60


def test_images_that_show_hardly_any_values_are_told(clean):
    assert "hardly any contrast" not in said(clean)
    rescaled(clean, lambda gray, number: (gray * 4).astype(np.uint16))
    assert "12 of 12 labeled images have hardly any contrast" in said(clean, "data.range=null")
    _, told = loaded(clean, "data.range=null")
    assert any("hardly any contrast" in line for line in told)
    assert "hardly any contrast" not in said(clean)


def test_8_bit_images_have_no_range(clean):
    data, told = loaded(clean)
    assert data.value_range is None and not any("bits" in line for line in told)


def test_dark_images_of_val_are_told(clean):
    for file in (clean / "val" / "images").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) // 64).save(file)
    assert "4 of 4 val images have hardly any contrast" in said(clean, NAMED)
    assert any("4 of 4 val images have" in line for line in loaded(clean, NAMED)[1])


def test_the_range_that_is_told_can_be_given(clean):
    rescaled(clean, lambda gray, number: (-30 + gray / 10).astype(np.float32))
    data, told = loaded(clean)
    (note,) = (line for line in told if "data.range=" in line)
    (option,) = re.findall(r"data\.range='\[[^]]+\]'", note)
    assert option in said(clean)
    given, _ = loaded(clean, option.replace("'", ""))
    assert given.value_range == data.value_range
    for i in range(len(data.labeled)):
        assert (given.labeled.image(i) == data.labeled.image(i)).all()
