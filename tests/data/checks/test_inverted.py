"""Masks in which object and ground are exchanged are told, and large objects are not."""

from pathlib import Path

import numpy as np
import pytest

from fewmask.data.checks.inverted import inverted_findings

COUNT = 10


def said(change, contrast=50, sizes=(20, 40), noise=15):
    rng = np.random.default_rng(0)
    images, masks = [], []
    for k in range(COUNT):
        mask = np.zeros((60, 80), np.uint8)
        height, width = rng.integers(*sizes, 2)
        mask[5 : 5 + height, 5 : 5 + width] = 1
        strength = contrast(k) if callable(contrast) else contrast
        image = rng.normal(100, noise, (60, 80, 3)) + strength * mask[..., None].astype(int)
        images.append(image.clip(0, 255).astype(np.uint8))
        masks.append(change(mask, k))
    files = [Path(f"p{k}.png") for k in range(COUNT)]
    return "\n".join(
        one.in_words() for one in inverted_findings(zip(files, images, masks, strict=True))
    )


@pytest.mark.parametrize("odd", [{3}, {1, 3, 5, 7, 9}, {0, 1, 2, 3, 4, 5, 7}])
def test_inverted_masks_are_counted(odd):
    text = said(lambda mask, k: 1 - mask if k in odd else mask)
    fewer = odd if len(odd) <= COUNT / 2 else {*range(COUNT)} - odd
    assert f"{len(fewer)} of 10 masks seem to be inverted" in text
    assert f"p{min(fewer)}.png" in text


def test_masks_may_have_another_size_than_images_that_were_resized():
    text = said(lambda mask, k: (1 - mask if k == 3 else mask)[::2, ::2].copy())
    assert "1 of 10 masks seem to be inverted" in text


def test_masks_of_one_kind_say_nothing():
    assert said(lambda mask, k: mask) == ""
    assert said(lambda mask, k: 1 - mask) == ""  # all of them: a matter of names
    assert said(lambda mask, k: mask * 0) == ""
    assert said(lambda mask, k: np.where(mask == 1, 255, mask).astype(np.uint8)) == ""


def test_large_objects_are_not_inverted():
    assert said(lambda mask, k: mask, sizes=(20, 55)) == ""


def test_objects_without_a_look_of_their_own_say_nothing():
    for contrast in (0, lambda k: 40 if k % 3 else -40):
        assert said(lambda mask, k: 1 - mask if k % 2 else mask, contrast) == ""
