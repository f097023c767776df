"""Small pictures as data: URLs."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fewmask.report.inline_pictures import TILE, map_of_confidence, map_of_labels, photo


def opened(url, kind):
    head, _, content = url.partition(",")
    assert head == f"data:image/{kind};base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(content))).convert("RGB"))


def test_labels_have_their_colors_and_no_label_is_white():
    labels = np.array([[0, 1], [255, 1]], np.uint8)
    colors = np.array([[10, 20, 30], [200, 0, 0]], np.uint8)
    picture = opened(map_of_labels(labels, colors), "png")
    assert picture[0].tolist() == [[10, 20, 30], [200, 0, 0]]
    assert picture[1, 0].tolist() == [255, 255, 255]


def test_photos_are_made_small_and_confidence_gray():
    assert opened(photo(np.zeros((900, 450, 3), np.uint8)), "jpeg").shape == (TILE, TILE // 2, 3)
    assert opened(photo(np.zeros((1, 3000, 3), np.uint8)), "jpeg").shape == (1, TILE, 3)
    gray = opened(map_of_confidence(np.full((8, 8), 0.5)), "jpeg")
    assert gray.mean() == pytest.approx(128, abs=1) and gray.std() < 1
