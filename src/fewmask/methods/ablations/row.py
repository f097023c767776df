"""A row of an ablation table: what it shows, and the options that repeat it."""

from typing import NamedTuple


class Row(NamedTuple):
    """One run of an ablation."""

    title: str  # what it shows
    words: tuple[str, ...] = ()  # to add to `fewmask train voc/imas ...`
