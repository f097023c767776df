"""Image files that would fill memory or never end are refused."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fewmask.data import decoding
from fewmask.data.checks.survey import describe_image
from fewmask.data.decoding import VARIABLE, TooLarge, count_pages, decoded, require_pixels
from fewmask.data.images import looks_whole, read_image, read_tiff
from fewmask.data.masks import read_stored
from fewmask.errors import UserError


@pytest.fixture
def bomb(tmp_path):
    """A PNG of a hundred bytes that declares 900 million pixels."""
    file = tmp_path / "a.png"
    Image.fromarray(np.ones((2, 2), np.uint8)).save(file)
    content = bytearray(file.read_bytes())
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    # Pillow looks at the checksum of the head when it opens a file.
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    file.write_bytes(content)
    return file


def test_a_declared_size_beyond_the_limit_is_refused_before_anything_is_decoded(bomb):
    for read in (read_image, read_stored):
        with pytest.raises(UserError, match="30000x30000 pixels, and the limit is 200 megapixels"):
            read(bomb)
    assert "200 megapixels" in (describe_image(bomb).error or "")


def test_the_limit_can_be_raised(bomb, monkeypatch):
    with pytest.raises(TooLarge, match=f"{VARIABLE}=400"):
        require_pixels((20_000, 20_000))
    monkeypatch.setenv(VARIABLE, "400")
    require_pixels((20_000, 20_000))
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(TooLarge, match="200 megapixels"):
        require_pixels((20_000, 20_000))


def test_a_tiff_of_bands_has_the_same_limit(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2000, 1000, 5), np.uint8), planarconfig="contig")
    assert read_tiff(tmp_path / "a.tif").shape == (2000, 1000, 5)
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(UserError, match="the limit is 1 megapixels"):
        read_tiff(tmp_path / "a.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(OSError, match="pipe"):
        decoded(tmp_path / "a.png")
    with pytest.raises(UserError, match="pipe"):
        read_image(tmp_path / "a.png")
    assert "pipe" in (describe_image(tmp_path / "a.png").error or "")
    assert not looks_whole(tmp_path / "a.png")


def test_whatever_fails_while_a_picture_is_open_is_one_message(tmp_path):
    from fewmask.data.decoding import opened

    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    for error, says in ((MemoryError(), "does not fit into memory"), (TypeError("x"), "damaged")):
        with pytest.raises(UserError, match=says), opened(tmp_path / "a.png", "mask"):
            raise error


def test_a_picture_that_is_a_program_is_not_run(tmp_path, monkeypatch):
    """Pillow gives an EPS to Ghostscript, whatever the suffix is."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    file = tmp_path / "a.png"
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(UserError, match="not an image of a known format"):
        read_image(file)
    assert not (tmp_path / "ran").exists()


def test_the_pages_of_a_file_are_counted_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MOST_PAGES", 3)
    page = Image.new("L", (6, 4), 7)
    for pages, counted in ((1, 1), (2, 2), (5, 3)):
        page.save(tmp_path / "a.tif", save_all=True, append_images=[page] * (pages - 1))
        with Image.open(tmp_path / "a.tif") as picture:
            assert count_pages(picture) == counted and picture.tell() == 0
            assert picture.getpixel((0, 0)) == 7
