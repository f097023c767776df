"""The range of values of a data set, and what follows from it in a run."""

import cv2
import numpy as np
import pytest
from PIL import Image

import fewmask
from fewmask.data.value_range import find_range
from fewmask.runs.run import Run
from fewmask.tasks.predict import predict
from tests.program import TINY_PHOTOS


def write(folder, kind, count=4):
    """Gray or RGB images; those of 16 bits have values to 2040."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{i}.png" for i in range(count)]
    for i, file in enumerate(files):
        gray = np.random.default_rng(i).integers(0, 256, (32, 40))
        if kind == "deep RGB":
            cv2.imwrite(str(file), np.repeat((gray * 8)[:, :, None], 3, axis=2).astype(np.uint16))
        else:
            pixels = (gray * 8).astype(np.uint16) if kind == "deep" else gray.astype(np.uint8)
            Image.fromarray(pixels).save(file)
    return files


@pytest.mark.parametrize("kind", ["deep", "deep RGB"])
def test_the_range_is_that_of_the_values(kind, tmp_path):
    low, high = find_range(write(tmp_path, kind), 3)
    assert 0 <= low < 60 and 1980 < high <= 2040


def test_images_of_8_bits_or_that_cannot_be_read_have_none(tmp_path):
    assert find_range(write(tmp_path, "8 bits"), 3) is None
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert find_range([tmp_path / "missing.png", tmp_path / "broken.png"], 3) is None


def test_predictions_read_images_as_training_did(tmp_path):
    write(tmp_path / "photos" / "images", "deep", 6)
    (tmp_path / "photos" / "masks").mkdir()
    for i in range(4):
        mask = np.tile(np.arange(40) > 20, (32, 1)).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "photos" / "masks" / f"{i}.png")
    words = [f"data={tmp_path / 'photos'}", "method=supervised", *TINY_PHOTOS]
    low, high = fewmask.train(*words, out=tmp_path / "run").recipe.data.range
    assert 1980 < high <= 2040 and low < 60
    run = Run.open(tmp_path / "run")
    for network in (run.network(), run.network("student")):
        assert network.value_range == run.data.value_range == (low, high)
    assert run.data.labeled.image(0).max() > 240
    photo = tmp_path / "photos" / "images" / "0.png"
    assert predict(run.network(), [photo], tmp_path / "out").names == ["0"]
    overlay = np.asarray(Image.open(tmp_path / "out" / "overlays" / "0.jpg"))
    assert overlay.max() > 150  # black, had it been read as 16 bits
