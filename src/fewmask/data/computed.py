"""Sequences whose items are made when asked for, so that millions of them take no memory."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T", covariant=True)


class Computed(Sequence[T]):
    """What a subclass says of one position, for slices and negative positions too."""

    @abstractmethod
    def item(self, index: int) -> T:
        """What stands at a position, 0..n-1."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """The item at a position, or those of a slice."""
        there = range(len(self))[index]
        return [self.item(i) for i in there] if isinstance(there, range) else self.item(there)
