"""The facts about files."""

import numpy as np
from PIL import Image

from fewmask.data.checks.survey import describe_image, describe_mask, near_pairs


def test_images_and_masks_are_described(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).resize((60, 40)).save(tmp_path / "b.jpg", quality=95)
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "m.png")
    Image.fromarray(np.full((2, 2, 3), (1, 2, 3), np.uint8)).save(tmp_path / "c.png")
    a, b = (describe_image(tmp_path / name) for name in ("a.png", "b.jpg"))
    assert a.size == (30, 20) and a.mode == "RGB" and a.error is None and a.content != b.content
    assert near_pairs([a], [b], bits=10) == [(a, b)] and near_pairs([a], [], bits=10) == []
    assert describe_mask(tmp_path / "m.png").values == {0: 12, 1: 4}
    colored = describe_mask(tmp_path / "c.png")
    assert colored.is_colored and colored.values == {0x010203: 4}
    assert describe_image(tmp_path / "missing.png").error == "there is no such file"
