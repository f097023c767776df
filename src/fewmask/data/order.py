"""Random orders of the images of a set: another one each epoch, and each image once in it."""

from functools import lru_cache

import numpy as np

LARGE = 2**20
"""Sets of more images than this are not permuted in memory."""
ROUNDS = 6  # four make a Feistel network look random; two more cost little

Key = tuple[int, ...]
"""What decides an order, such as (seed, stream, epoch)."""


def shuffled(place: int, count: int, key: Key) -> int:
    """The number that stands at a place of a random order of 0..count-1.

    Args:
        place: 0..count-1.
        count: how many numbers. Up to `LARGE`, the order is drawn once and kept. Beyond, each
            place is computed by itself, in constant memory and without start-up time.
        key: another key gives another order.
    """
    if count <= LARGE:
        return int(_permutation(count, key)[place])
    return _cipher(place, count, key)


@lru_cache(maxsize=8)
def _permutation(count: int, key: Key) -> np.ndarray:
    return np.random.default_rng(key).permutation(count)


def _cipher(place: int, count: int, key: Key) -> int:
    """A Feistel network over the next power of four, walked until it lands inside.

    Source: Black & Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002 (cycle walking).
    """
    half = ((count - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    keys = _round_keys(key)
    while True:
        left, right = place >> half, place & mask
        for round_key in keys:
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        place = left << half | right
        if place < count:
            return place


@lru_cache(maxsize=8)
def _round_keys(key: Key) -> list[int]:
    words: list[int] = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64).tolist()
    return words


def _mix(x: int) -> int:
    """The finalizer of SplitMix64: every bit of the result depends on every bit of x."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    x = (x ^ x >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return x ^ x >> 31
