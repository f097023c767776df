"""Numbers that stand for a class, but perhaps not for the same thing in all masks."""

import numpy as np
import pytest
from PIL import Image

from fewmask.batch import IGNORE
from tests.data.checks.photos import NAMED, check, loaded, masks_of, rewrite, said


def test_values_that_join_a_class_unasked_are_refused(clean):
    rewrite(clean, lambda mask, i: mask * (5 if i % 2 else 1))
    assert "The values 1 and 5 both become class 1" in said(
        clean, NAMED, "data.label_mapping={0: 0, 5: 1}"
    )


@pytest.mark.parametrize("top", [255, 65535])
def test_the_largest_value_beside_objects_of_a_binary_mask_is_asked_about(top, clean):
    def bordered(mask, i):
        mask = mask.astype(np.uint16 if top > 255 else np.uint8)
        mask[:2] = top
        return mask

    rewrite(clean, bordered)
    words = [NAMED, "data.binary=true"]
    assert f"16 mask(s) hold {top} and other values above 0" in said(clean, *words)
    assert any(f"hold {top} and" in line for line in loaded(clean, *words)[1])
    data, _ = loaded(clean, *words, f"data.ignore=[{top}]")
    assert (data.labeled.mask(0)[:2] == IGNORE).all() and data.labeled.mask(0)[2:].max() == 1
    for answer in (f"data.ignore=[{top}]", f"data.label_mapping={{{top}: 1}}"):
        assert check(clean, *words, answer).exit_code == 0


def test_masks_of_0_and_255_and_counted_objects_are_no_doubt(clean):
    rewrite(clean, lambda mask, i: mask * (255 if i % 2 else 1))
    assert check(clean, NAMED, "data.binary=true").exit_code == 0
    columns = np.arange(40, dtype=np.uint8)
    rewrite(clean, lambda mask, i: (mask > 0) * (230 + columns % 26).astype(np.uint8))
    assert "no label" not in said(clean, NAMED, "data.binary=true")


def test_classes_counted_from_0_and_from_1(clean):
    rewrite(clean, lambda mask, i: mask + i % 2)
    names = "data.names=[a, b, c]"
    text = said(clean, names)
    assert "8 masks hold values from 0 to 1, 8 others from 1 to 2." in text
    assert any("counted in two ways" in line for line in loaded(clean, names)[1])
    answer = "data.label_mapping={0: 0, 1: 1, 2: 2}"
    assert answer.partition("=")[2] in text and check(clean, names, answer).exit_code == 0


def test_photos_without_the_first_class_are_no_doubt(clean):
    """0 is missing where 1 covers all, and 2 is beside 0 elsewhere."""

    def bands(mask, i):
        mask[24:] = 2 * (i % 2)
        return np.maximum(mask, 1) if i in (0, 2, 4) else mask

    rewrite(clean, bands)
    assert "two ways" not in said(clean, "data.names=[a, b, c]")


def test_numbers_of_other_files_count_as_they_are(clean):
    for file in masks_of(clean)[::2]:
        np.save(file.with_suffix(".npy"), np.asarray(Image.open(file)))
        file.unlink()
    assert check(clean, NAMED).exit_code == 0
