"""Mask files of many kinds: the numbers that they hold, or one message."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from fewmask.data.masks import read_colors, read_mask, read_stored
from fewmask.errors import UserError

LABELS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


def as_rgb(labels):
    return np.repeat(labels[:, :, None], 3, axis=2)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("gray.png", LABELS),
        ("deep.png", LABELS.astype(np.uint16) * 300),
        ("big_endian.tif", LABELS.astype(">u2") * 300),
        ("signed.tif", LABELS.astype(np.int16) - 1),
        ("negative.tif", LABELS.astype(np.int32) - 9999),
        ("float.tif", LABELS.astype(np.float32)),
        ("gray_in_three_channels.png", as_rgb(LABELS)),
        ("opaque.png", np.dstack([as_rgb(LABELS), np.full_like(LABELS, 255)])),
        ("lossless.webp", as_rgb(LABELS)),
        ("pictures.gif", LABELS),
    ],
)
def test_numbers_are_read_as_they_are(name, pixels, tmp_path):
    file = tmp_path / name
    if pixels.dtype == np.int16:
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(file, pixels)
    elif pixels.dtype == np.dtype(">u2"):
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(file, pixels, byteorder=">")
    else:
        Image.fromarray(pixels).save(file, lossless=True)
    expected = pixels[..., 0] if pixels.ndim == 3 else pixels
    assert np.array_equal(read_mask(file), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, bool, np.float32])
def test_arrays_are_read(kind, tmp_path):
    values = (LABELS > 0).astype(kind)
    np.save(tmp_path / "m.npy", values)
    assert np.array_equal(read_mask(tmp_path / "m.npy"), values)
    assert read_colors(tmp_path / "m.npy")[0, 1] == 0x010101


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 2, 3)), r"expected one array \[H, W\]"),
        (np.full((2, 2), 0.5), "fractions, NaN or huge numbers"),
        (np.array([["a"]]), "whole numbers"),
        (np.array([[{}]], dtype=object), "Cannot read mask"),
    ],
)
def test_other_arrays_are_refused(array, says, tmp_path):
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=says):
        read_mask(tmp_path / "m.npy")


def test_jpeg_is_known_by_its_content(tmp_path):
    for name in ("m.png", "m.jpg"):
        Image.fromarray(LABELS).save(tmp_path / name, format="JPEG")
        with pytest.raises(UserError, match="stored as JPEG"):
            read_mask(tmp_path / name)
        with pytest.raises(UserError, match="stored as JPEG"):
            read_colors(tmp_path / name)
    Image.fromarray(as_rgb(LABELS)).save(tmp_path / "lossy.webp", quality=50)
    with pytest.raises(UserError, match="stored as WEBP"):
        read_mask(tmp_path / "lossy.webp")


def test_pages_are_refused(tmp_path):
    pages = [Image.fromarray(LABELS * k) for k in (1, 2, 3)]
    pages[0].save(tmp_path / "m.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UserError, match="it has 3 pages"):
        read_mask(tmp_path / "m.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_refused(mode, tmp_path):
    picture = Image.fromarray(LABELS).convert(mode)
    picture.putpixel((0, 0), (0, 0, 0, 0)[: len(mode)])
    picture.save(tmp_path / "m.png")
    for read in (read_mask, read_colors):
        with pytest.raises(UserError, match="some of its pixels are transparent"):
            read(tmp_path / "m.png")


def test_fractions_are_refused(tmp_path):
    Image.fromarray(np.full((2, 2), 0.5, np.float32)).save(tmp_path / "m.tif")
    with pytest.raises(UserError, match="fractions"):
        read_mask(tmp_path / "m.tif")


def test_colors_are_told_from_numbers(tmp_path):
    Image.new("RGB", (2, 2), "#123456").save(tmp_path / "m.png")
    assert (read_colors(tmp_path / "m.png") == 0x123456).all()
    with pytest.raises(UserError, match="mode RGB; expected one number per pixel"):
        read_mask(tmp_path / "m.png")
    stored = read_stored(tmp_path / "m.png")
    assert stored.is_colored and stored.mode == "RGB"


def test_the_colors_of_numbers_that_occur(tmp_path):
    picture = Image.fromarray(LABELS * 2)
    picture.putpalette([0, 0, 0, 9, 9, 9, 255, 0, 0, 8, 8, 8, 0, 0, 255])
    picture.save(tmp_path / "m.png")
    assert read_stored(tmp_path / "m.png").palette == {0: 0, 2: 0xFF0000, 4: 0x0000FF}
    Image.fromarray(LABELS > 0).save(tmp_path / "bits.png")
    assert read_stored(tmp_path / "bits.png").palette == {0: 0, 1: 0xFFFFFF}


def test_a_tiff_in_which_0_is_white_is_noted(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "m.tif", 255 - LABELS, photometric="miniswhite")
    stored = read_stored(tmp_path / "m.tif")
    assert stored.is_inverted and np.array_equal(stored.values, LABELS)
    Image.fromarray(LABELS * 0).save(tmp_path / "other.png")
    assert read_stored(tmp_path).is_inverted  # one object of two


def test_channels_of_16_bits_keep_all_bits(tmp_path):
    deep = as_rgb(LABELS.astype(np.uint16) * 200)
    cv2.imwrite(str(tmp_path / "m.png"), deep)
    cv2.imwrite(str(tmp_path / "m.tif"), deep)
    for name in ("m.png", "m.tif"):
        assert np.array_equal(read_mask(tmp_path / name), LABELS.astype(np.uint16) * 200)
    deep[0, 0] = (1, 2, 3)
    cv2.imwrite(str(tmp_path / "m.png"), deep)
    with pytest.raises(UserError, match="colors of 16 bits"):
        read_mask(tmp_path / "m.png")


def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "m.tif") as file:
        file.write(LABELS)
        file.write(LABELS[::2, ::2], subfiletype=1)
    assert np.array_equal(read_mask(tmp_path / "m.tif"), LABELS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_turned_as_their_own_exif_tag_says(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(LABELS)
    picture.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(read_mask(tmp_path / "turned.png"), expected)
    assert np.array_equal(read_colors(tmp_path / "turned.png") & 255, expected)
