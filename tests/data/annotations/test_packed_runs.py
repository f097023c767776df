"""The packed run lengths of Label Studio."""

import numpy as np
import pytest

from fewmask.data.annotations.packed_runs import pack, unpack

HEAD = f"{8:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"  # 8 values of 8 bits
SIX_NINES = "1" + "00" + "101" + f"{9:08b}"  # repeated, a length of 3 bits, 6 less one
SEVEN_AND_ONE = "0" + "01" + "0001" + f"{7:08b}{1:08b}"  # 2 values, a length of 4 bits


def packed(bits):
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_repeated_and_single_values():
    content = packed(HEAD + SIX_NINES + SEVEN_AND_ONE)
    assert unpack(content, (2, 4)).tolist() == [[9, 9, 9, 9], [9, 9, 7, 1]]
    values_of_one_bit = (
        f"{8:032b}" + "00000" + "0010" * 4 + "1" + "00" + "101" + "1" + "000001" + "01"
    )
    assert unpack(packed(values_of_one_bit), (8,)).tolist() == [1] * 6 + [0, 1]


@pytest.mark.parametrize(
    ("bits", "says"),
    [
        (HEAD + SIX_NINES, "end too soon"),
        (HEAD[:20], "end too soon"),
        (HEAD + SIX_NINES * 2, "reach beyond the image"),
        (f"{9:032b}" + HEAD[32:], "9 values instead of 8"),
        (HEAD[:32] + "01111" + HEAD[37:], "16 bits for a value"),
    ],
)
def test_damaged_runs_are_told(bits, says):
    with pytest.raises(ValueError, match=says):
        unpack(packed(bits), (2, 4))


@pytest.mark.parametrize("kind", ["noise", "stripes", "empty", "full", "long"])
def test_what_label_studio_packs_is_unpacked(kind):
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    rng = np.random.default_rng(0)
    values = {
        "noise": rng.integers(0, 256, (13, 17, 4)),
        "stripes": np.repeat(rng.integers(0, 2, 300) * 255, rng.integers(1, 90, 300))[:6000],
        "empty": np.zeros((20, 30, 4)),
        "full": np.full((20, 30, 4), 255),
        "long": np.repeat([0, 255, 3], [70_000, 140_000, 5]),
    }[kind].astype(np.uint8)
    content = brush.encode_rle(values.ravel())
    assert np.array_equal(unpack(content, values.shape), values)
    assert np.array_equal(brush.decode_rle(content), values.ravel())


def test_two_pixels_packed_by_hand():
    """One pixel outside, one inside: 8 values in two runs of 4, each 1 + 2 + 3 + 8 bits."""
    head = "00000000000000000000000000001000" + "00111" + "0010001101111111"
    bits = head + "1" + "00" + "011" + "00000000" + "1" + "00" + "011" + "11111111"
    expected = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
    assert pack(np.array([[False, True]])) == expected


def test_label_studio_itself_unpacks_the_same_pixels():
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    random = np.random.default_rng(0)
    masks = [random.random((37, 23)) < share for share in (0.02, 0.5, 0.98)]
    masks += [np.zeros((200, 150), bool), np.ones((200, 150), bool), np.ones((1, 1), bool)]
    for pixels in masks:
        opacity = brush.decode_rle(pack(pixels)).reshape(*pixels.shape, 4)[..., 3]
        assert np.array_equal(opacity, pixels * 255)


def test_what_was_packed_comes_back():
    random = np.random.default_rng(1)
    for size in ((5, 3), (37, 23), (300, 400)):
        pixels = random.random(size) < 0.3
        assert np.array_equal(unpack(pack(pixels), (*size, 4))[..., 3], pixels * 255)
