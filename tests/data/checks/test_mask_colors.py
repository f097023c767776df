"""Masks whose colors contradict each other: `check` and `train` stop with one message."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.data.checks.mask_colors import color_findings, suggested_palette
from fewmask.data.checks.survey import MaskFacts
from fewmask.data.label_table import LabelTable
from tests.data.checks.photos import NAMED, both_refuse, check, loaded, masks_of, rewrite


def paletted(mask, colors):
    picture = Image.fromarray(mask)
    picture.putpalette([channel for color in colors for channel in color])
    return picture


def test_palettes_that_differ(clean):
    black, red, blue = (0, 0, 0), (255, 0, 0), (0, 0, 255)

    def shuffled(mask, i):
        mask[0] = 2
        order = [black, red, blue] if i % 2 else [black, blue, red]
        return paletted(mask if i % 2 else np.array([0, 2, 1], np.uint8)[mask], order)

    rewrite(clean, shuffled)
    both_refuse(clean, "The palettes of the masks differ: 1 is #")
    colors = 'data.palette={"#000000": 0, "#ff0000": 1, "#0000ff": 2}'
    data, _ = loaded(clean, colors)
    for i in range(len(data.labeled)):
        assert data.labeled.mask(i)[10, 10] == 1 and data.labeled.mask(i)[0, 0] == 2
    assert loaded(clean, "data.label_mapping={0: 0, 1: 1, 2: 2}")  # the numbers count


def test_palettes_may_differ_in_numbers_that_do_not_occur(clean):
    rewrite(clean, lambda mask, i: paletted(mask, [(0, 0, 0), (255, 0, 0), (i, i, i)]))
    assert check(clean).exit_code == 0


def test_bits_that_mean_white_here_and_black_there(clean):
    rewrite(
        clean,
        lambda mask, i: (
            Image.fromarray(mask == 1)
            if i % 2
            else paletted(1 - mask, [(255, 255, 255), (0, 0, 0)])
        ),
    )
    both_refuse(clean, "The palettes of the masks differ: 0 is #")


def test_masks_partly_stored_inverted(clean):
    tifffile = pytest.importorskip("tifffile")
    for i, file in enumerate(masks_of(clean)):
        mask = np.array(Image.open(file))
        kind = "miniswhite" if i % 2 else "minisblack"
        tifffile.imwrite(file.with_suffix(".tif"), 255 - mask if i % 2 else mask, photometric=kind)
        file.unlink()
    both_refuse(clean, "8 of 16 masks are stored inverted", NAMED)


def test_some_masks_in_colors(clean):
    rewrite(clean, lambda mask, i: Image.new("RGB", (40, 30), "red") if i == 3 else mask)
    both_refuse(clean, "1 of 16 masks are in colors (mode RGB)", NAMED)


def test_gray_in_three_channels_is_gray(clean):
    rewrite(clean, lambda mask, i: np.repeat(mask[:, :, None], 3, axis=2))
    assert check(clean).exit_code == 0
    assert loaded(clean)[0].labeled.mask(0).max() == 1


def test_numbers_that_a_program_has_packed_into_a_palette(clean):
    def packed(mask, i):
        mask[0] = 2  # so that gray masks show all numbers
        small = np.where(mask == 2, 1, 0).astype(np.uint8)
        return mask if i % 2 else paletted(small, [(0, 0, 0), (2, 2, 2)])

    rewrite(clean, packed)
    both_refuse(clean, "The palettes of the masks differ: 1 is #", "data.names=[a, b, c]")


def test_gray_palettes_beside_gray_masks_may_be_the_same(clean):
    grays = [(i, i, i) for i in range(256)]
    rewrite(clean, lambda mask, i: mask if i % 2 else paletted(mask, grays))
    assert check(clean, NAMED).exit_code == 0


def test_colors_that_are_nearly_the_same_get_one_number(clean):
    def painted(mask, i):
        red = (255, 0, 0) if i % 3 else (254, 1, 0)
        return np.array([(0, 0, 0), red], np.uint8)[mask]

    rewrite(clean, painted)
    palette = '{"#000000": 0, "#ff0000": 1, "#fe0100": 1}'
    both_refuse(clean, f"data.palette='{palette}'", NAMED)
    both_refuse(clean, "Colors that are nearly the same have one number here.", NAMED)
    data, _ = loaded(clean, NAMED, f"data.palette={palette}")
    assert all(data.labeled.mask(i)[10, 10] == 1 for i in range(len(data.labeled)))


def test_grays_are_never_nearly_the_same():
    assert suggested_palette(Counter({0: 9, 0x010101: 5, 0x020202: 4})) == {
        "#000000": 0,
        "#010101": 1,
        "#020202": 2,
    }


def test_numbers_in_one_channel_are_not_joined(clean):
    """Simulators write the class into the red channel: #000000, #010000, #020000."""

    def red(mask, i):
        mask[22:] = 2
        return np.dstack([mask, 0 * mask, 0 * mask])

    rewrite(clean, red)
    expected = 'data.palette=\'{"#000000": 0, "#010000": 1, "#020000": 2}\''
    assert expected in check(clean).in_words()
    assert suggested_palette(Counter({0: 9, 0xFE0000: 5, 0xFF0000: 4}))["#ff0000"] == 1


def test_palettes_beside_numbers_without_colors_are_told(clean):
    black, red, blue = (0, 0, 0), (255, 0, 0), (0, 0, 255)

    def change(mask, i):
        mask[22:] = 2
        swapped = np.array([0, 2, 1], np.uint8)[mask]
        return paletted(swapped, [black, blue, red]) if i % 2 else mask

    rewrite(clean, change)
    names = "data.names=[a, b, c]"
    text = check(clean, names).in_words()
    assert "8 of 16 masks have palettes of colors, the others hold numbers alone" in text
    assert "Is 1, #0000ff there, the same class everywhere?" in text
    assert any("Is 1, #0000ff there" in line for line in loaded(clean, names)[1])
    assert check(clean, names, "data.label_mapping={0: 0, 1: 1, 2: 2}").exit_code == 0


def test_palettes_of_published_masks_are_no_news():
    """VOC's own masks have palettes, and those of SBD are gray."""
    masks = [
        MaskFacts(Path("a.png"), mode="P", values={15: 9}, palette={15: 0xC08080}),
        MaskFacts(Path("b.png"), mode="L", values={15: 9}),
    ]
    assert [one.level for one in color_findings(masks, LabelTable(21))] == ["warning"]
    assert not [*color_findings(masks, LabelTable(21, advice="Run fewmask prepare voc again."))]
