"""Keeps images and masks in memory once they are read, as long as there is room."""

from collections.abc import Hashable

import numpy as np

ROOM = 2**30
"""Bytes that a process keeps: 7,000 photos of 256 x 192 pixels."""


class Memory:
    """Arrays by key, up to a number of bytes. What comes later is not kept.

    Args:
        room: bytes.
    """

    def __init__(self, room: int = ROOM):
        self.room, self.arrays = room, dict[Hashable, np.ndarray]()

    def get(self, key: Hashable) -> np.ndarray | None:
        """The array that is kept under a key, if any."""
        return self.arrays.get(key)

    def keep(self, key: Hashable, array: np.ndarray) -> None:
        """Keeps an array, if there is room for it."""
        if key not in self.arrays and array.nbytes <= self.room:
            self.room -= array.nbytes
            self.arrays[key] = np.array(array)  # a memory map would keep its file open
