"""The one exception meant for the user, and the end of a message about an unknown word."""

import difflib
from collections.abc import Iterable

MANY = 60
"""A message lists at most so many known words."""


class UserError(Exception):
    """A user's mistake, told in one message: what happened, what was expected, what to do."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Closes an error about an unknown word: the nearest known one, or the known ones."""
    known = sorted(known)
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    near += difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{by_lower.get(near[0], near[0])}'?"
    if len(known) <= MANY:
        return f"Known: {', '.join(known)}."
    alike = [name for name in known if word.lower() in name.lower()] or known
    return f"Some of {len(known)} known ones: {', '.join(alike[:5])}."
