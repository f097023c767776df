"""Findings about labels."""

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.data.checks.photos import NAMED, check, loaded, rewrite, said


def test_binary_masks_get_a_mapping(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)) * 255).save(file)
    text = said(clean)
    assert "hold the values 0, 255" in text and "data.label_mapping='{0: 0, 255: 1}'" in text
    found = check(clean, "data.label_mapping={0: 0, 255: 1}")
    assert found.exit_code == 0 and found.shares["labeled"]["class 1"][1] == 12


def test_values_that_are_no_classes_get_a_mapping(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)) * 128 + 10).save(file)
    assert "data.label_mapping='{10: 0, 138: 1}'" in said(clean)
    named = said(clean, "data.names=[a, b]")
    assert "error: The masks hold the values 10, 138, but there are 2 classes (0..1)" in named
    assert check(clean, "data.label_mapping={10: 0, 138: 1}").exit_code == 0


def test_16_bit_masks(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) * 1000).save(file)
    assert "data.label_mapping='{0: 0, 1000: 1}'" in said(clean)
    words = (f"data={clean}", "data.val=val", "data.label_mapping={0: 0, 1000: 1}")
    assert check(clean, words[2]).exit_code == 0
    data = open_data(recipe_from_words(["method=imas", "data.names=[a, b]", *words]))
    assert np.unique(data.val.mask(0)).tolist() == [0, 1]


def test_masks_coded_in_colors_get_a_palette(clean):
    colors = np.array([[255, 255, 255], [200, 0, 10]], np.uint8)
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(colors[np.asarray(Image.open(file))]).save(file)
    palette = """data.palette={"#ffffff": 0, "#c8000a": 1}"""
    assert """data.palette='{"#ffffff": 0, "#c8000a": 1}'""" in said(clean)
    assert check(clean, palette).exit_code == 0
    words = ("method=imas", f"data={clean}", "data.val=val", palette)
    mask = open_data(recipe_from_words(words)).labeled.mask(0)
    assert mask[10, 10] == 1 and mask[0, 0] == 0
    file = clean / "masks" / "p00.png"
    Image.open(file).resize((80, 60)).resize((40, 30)).save(file)  # smoothed
    assert "color(s) that data.palette does not name" in said(clean, palette)
    with pytest.raises(UserError, match=r"data.palette does not name: .*p00.png"):
        open_data(recipe_from_words(words))


def test_empty_rare_and_missing_classes(clean):
    Image.new("L", (40, 30), 255).save(clean / "masks" / "p00.png")
    mask = np.zeros((30, 40), np.uint8)
    mask[0, 0] = 2
    Image.fromarray(mask).save(clean / "masks" / "p01.png")
    text = said(clean, "data.names=[ground, house, well, tree]")
    assert "1 mask(s) of labeled images hold no label at all" in text
    assert "Rare among the labeled images: well (0." in text
    assert "No labeled image shows tree." in text


def test_val_with_one_class_alone_is_told(clean):
    for file in (clean / "val" / "masks").iterdir():
        Image.fromarray(np.zeros((30, 40), np.uint8)).save(file)
    assert "The images of val show a alone, so their score says little." in said(clean, NAMED)
    assert any("show a alone" in line for line in loaded(clean, NAMED)[1])


def test_255_is_named_where_a_class_is_missing(clean):
    rewrite(
        clean,
        lambda mask, i: np.where((np.indices(mask.shape)[1] > 20) & (mask > 0), 255, mask).astype(
            np.uint8
        ),
    )
    text = said(clean, "data.names=[a, b, c]")
    assert "No labeled image shows c." in text
    assert "(255, which the masks hold, counts as 'no label'.)" in text
