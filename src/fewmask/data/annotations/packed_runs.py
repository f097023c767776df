"""The packed run lengths (RLE) of Label Studio's brush.

They are a stream of bits. The head says how many values there are (32 bits), how many bits a value
has (5 bits, less one), and four sizes of lengths (4 bits each, less one). Then come blocks: whether
one value is repeated (1 bit), which size its length has (2 bits), the length less one, and either
the repeated value or as many values. This is the format of the JavaScript package rle-pack.
"""

import math
from collections.abc import Sequence

import numpy as np

from fewmask.data.annotations.objects import runs_of
from fewmask.errors import UserError

CHANNELS = 4
"""The values are bytes of red, green, blue and opacity."""
LENGTH_BITS = (3, 4, 8, 16)
"""How many bits a length takes that we write."""


def unpack(packed: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """The values that packed run lengths stand for.

    Args:
        packed: bytes, as numbers.
        shape: of the values.

    Returns:
        uint8 of this shape.

    Raises:
        ValueError: if there are not as many values, or they do not fit into 8 bits.
    """
    bits = _Bits(bytes(packed))
    count, word = bits.number(32), bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    if count != math.prod(shape):
        raise ValueError(f"run lengths (RLE) of {count} values instead of {math.prod(shape)}")
    if word > 8:
        raise ValueError(f"run lengths (RLE) with {word} bits for a value instead of 8")
    values = np.empty(count, np.uint8)
    start = 0
    while start < count:
        is_repeated = bits.number(1)
        end = start + 1 + bits.number(sizes[bits.number(2)])
        if end > count:
            raise ValueError("run lengths (RLE) that reach beyond the image")
        values[start:end] = bits.number(word) if is_repeated else bits.numbers(end - start, word)
        start = end
    return values.reshape(shape)


class _Bits:
    """Reads numbers from bytes, bit by bit, the highest first."""

    def __init__(self, content: bytes):
        self.content, self.at = content, 0

    def number(self, size: int) -> int:
        """The next number of so many bits."""
        end = self._advance(size)
        around = int.from_bytes(self.content[(end - size) // 8 : -(-end // 8)], "big")
        return around >> (-end % 8) & ((1 << size) - 1)

    def numbers(self, count: int, size: int) -> np.ndarray:
        """The next numbers of so many bits each, at most 8."""
        end = self._advance(count * size)
        first, last = (end - count * size) // 8, -(-end // 8)
        bits = np.unpackbits(np.frombuffer(self.content[first:last], np.uint8))
        begin = end - count * size - first * 8
        words = bits[begin : begin + count * size].reshape(count, size)
        padded = np.zeros((count, 8), np.uint8)
        padded[:, 8 - size :] = words
        return np.packbits(padded)

    def _advance(self, size: int) -> int:
        self.at += size
        if self.at > 8 * len(self.content):
            raise ValueError("run lengths (RLE) that end too soon")
        return self.at


def pack(pixels: np.ndarray) -> list[int]:
    """Run lengths that stand for pixels bool [H, W], as bytes; covered ones are white and opaque.

    Raises:
        UserError: if there are too many pixels to be counted.
    """
    height, width = pixels.shape
    if pixels.size * CHANNELS >= 1 << 32:
        raise UserError(
            f"A photo of {width} x {height} pixels is too large for Label Studio's masks. Cut it "
            "into tiles, or choose another format for --annotations."
        )
    bits = [f"{pixels.size * CHANNELS:032b}", f"{8 - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in LENGTH_BITS]
    for number, run in enumerate(runs_of(pixels, (0, 0), (width, height))):
        value, left = 255 * (number % 2), run * CHANNELS
        while left:
            length = min(left, 1 << LENGTH_BITS[-1])
            kind = next(k for k, size in enumerate(LENGTH_BITS) if length <= 1 << size)
            bits.append(f"1{kind:02b}{length - 1:0{LENGTH_BITS[kind]}b}{value:08b}")
            left -= length
    text = "".join(bits)
    count = -(-len(text) // 8)
    return [*int(text.ljust(count * 8, "0"), 2).to_bytes(count, "big")]
