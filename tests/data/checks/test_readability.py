"""Findings about files that cannot be read."""

import numpy as np

from tests.data.checks.photos import check, masks_of, said


def test_files_that_cannot_be_read(clean):
    image, mask = clean / "images" / "p03.png", clean / "masks" / "p04.png"
    image.write_bytes(image.read_bytes()[:500])
    mask.write_bytes(b"")
    text = said(clean)
    assert "1 labeled image(s) cannot be read" in text and "p03.png" in text
    assert "1 mask(s) of labeled images cannot be read" in text and "p04.png" in text
    assert check(clean).exit_code == 2


def test_images_cut_at_different_places_are_one_finding(clean):
    for i, file in enumerate(sorted((clean / "images").glob("*.png"))):
        file.write_bytes(file.read_bytes()[: 200 + 90 * i])
    text = said(clean)
    assert "4 unlabeled image(s) cannot be read: image file is truncated." in text
    assert text.count("labeled image(s) cannot be read") == 2


def test_of_many_reasons_the_rare_ones_are_counted(clean):
    for i, file in enumerate(masks_of(clean)[:10]):
        arrays = {f"array{i}": np.zeros((30, 40)), f"other{i}": np.zeros((30, 40))}
        np.savez(file.with_suffix(".npz"), **arrays)
        file.unlink()
    found = [one for one in check(clean).findings if "cannot be read" in one.what]
    assert len(found) == 5 and sum(len(one.files) for one in found) == 10
    assert "6 mask(s) of labeled images cannot be read: for 6 other reasons (the first: " in (
        found[-1].what
    )
