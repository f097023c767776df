"""What is fed to readers and options to break them: the same in every run."""

import os
import random
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("FEWMASK_FUZZ_SECONDS", "12"))
"""For each of the tests. By hand, set an hour: FEWMASK_FUZZ_SECONDS=3600 pytest -s."""
SEED = int(os.environ.get("FEWMASK_FUZZ_SEED", "0"))

NUMBERS = (
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"99999999999999999999",
    b"3e9",
    b"1" * 5000,
)
WORDS = (
    b"[", b"{", b"]", b"}", b"null", b'""', b"[[", b"\0", b"\\u0000", b"\\ud800", b"&a [*a]",
    b"\xff", b"\x1b[2J", b"../..", b"<", b"true", b",,", b'"', b"\n", b": ",
)  # fmt: skip
VALUES = (
    -1, 0, 1, 2, 2**31, 2**63, -(2**63), 10**40, 10**5000, 0.5, -0.5, 1e300, float("nan"),
    float("inf"), -float("inf"), "", "\0", "auto", "a:b", ":", "..a:b", "os:getcwd", "\x1b[2J",
    "~nobody/x", True, None, [], [1], [2, 1], [0, 0], [float("nan"), 1], [-1, 10**30], [[]],
    [None, "a"], ["a"] * 300, {}, {None: 1}, {"a": {}}, {1: -1}, {"name": 5}, {"name": ["a"]},
    {0: "a", "b": "c"}, b"bytes",
)  # fmt: skip


def rounds(seconds: float = SECONDS) -> Iterator[random.Random]:
    """A source of randomness for each round, until the time is over; at least 200."""
    end, number = time.monotonic() + seconds, 0
    while number < 200 or time.monotonic() < end:
        yield random.Random(f"{SEED} {number}")
        number += 1


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file with one to four changes."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice((_flip, _cut, _repeat, _replace, _insert))(content, rng)
    return content


def _place(content: bytes, rng: random.Random) -> int:
    # Heads of binary files say how large things are.
    return rng.randrange(min(len(content), 80) + 1 if rng.random() < 0.3 else len(content) + 1)


def _flip(content: bytes, rng: random.Random) -> bytes:
    place = _place(content, rng)
    return (
        content[:place] + bytes([rng.choice((0, 255, rng.randrange(256)))]) + content[place + 1 :]
    )


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: _place(content, rng)]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted((_place(content, rng), _place(content, rng)))
    return content[:end] + content[start:end] * rng.randint(1, 3) + content[end:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    place = _place(content, rng)
    return content[:place] + rng.choice(WORDS + NUMBERS) + content[place:]


def _replace(content: bytes, rng: random.Random) -> bytes:
    """Another number or word in place of one."""
    places = [i for i, byte in enumerate(content) if chr(byte).isalnum()]
    if not places:
        return content
    start = end = rng.choice(places)
    while end < len(content) and chr(content[end]).isalnum():
        end += 1
    return content[:start] + rng.choice(NUMBERS if rng.random() < 0.7 else WORDS) + content[end:]
