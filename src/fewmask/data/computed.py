"""Sequences that compute an item when it is asked for, so that millions take no memory."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T", covariant=True)


class Computed(Sequence[T]):
    """A sequence whose subclass computes one item. Slices and negative positions follow."""

    @abstractmethod
    def item(self, index: int) -> T:
        """The item at a position, 0..n-1."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """The item at a position, or those of a slice."""
        there = range(len(self))[index]
        return [self.item(i) for i in there] if isinstance(there, range) else self.item(there)
