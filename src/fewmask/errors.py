"""The exceptions meant for the user, and how a message names one or a few of many words."""

import difflib
import signal
from collections.abc import Iterable

MANY = 30
"""A message lists at most this many known words."""
NEAR = 5
"""Of more known words, this many are named."""


class UserError(Exception):
    """A user's mistake, told in one message: what happened, what was expected, what to do."""


class Stopped(KeyboardInterrupt):
    """A signal has stopped a run, which has saved its state and said how to continue.

    As it is a `KeyboardInterrupt`, a script does not go on with a network that is half trained.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT):
        super().__init__(number)
        self.number = int(number)


def listed(things: Iterable[object], most: int = 12) -> str:
    """The things with commas; of many, the first ones and how many there are."""
    words = [str(thing) for thing in things]
    return ", ".join(words[:most]) + (f" ... ({len(words)} in all)" if len(words) > most else "")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was meant, if one is near enough, in whatever case."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word, [*by_lower.values()], n=1, cutoff=0.6)
    near += difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower.get(near[0], near[0]) if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Closes an error about an unknown word: the known one that was meant, or some or all."""
    known = sorted(known)
    longer = [name for name in known if word and name.lower().startswith(word.lower())]
    if len(longer) > 1:  # a family of names, such as resnet
        return f"Names that begin so: {listed(longer, NEAR)}."
    near = nearest(word, known)
    if near is not None:
        return f"Did you mean '{near}'?"
    if len(known) <= MANY:
        return f"Known: {', '.join(known)}."
    alike = [name for name in known if word.lower() in name.lower()]
    alike = alike or difflib.get_close_matches(word, known, n=NEAR, cutoff=0)
    return f"The nearest of {len(known)} known ones: {', '.join(alike[:NEAR])}."
