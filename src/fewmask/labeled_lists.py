"""Lists of labeled images: recognise one, copy a published one, draw new ones."""

from collections.abc import Sequence
from pathlib import Path

from fewmask.data import splits
from fewmask.data.convert import write_whole
from fewmask.data.draw import draw
from fewmask.errors import UserError
from fewmask.recipe import load_recipe


def recognise(file: Path) -> splits.Split:
    """Says what a list is."""
    split = splits.identify(splits.read_lines(file))
    print(f"{file}: {split.count} images, SHA-256 of the sorted ids {split.sha256}")
    for published in split.published:
        print(f"  {published.name}, {published.kind}, github.com/{published.repository}")
    print(f"  {split.note}" if split.published else "  It is none of the published lists.")
    return split


def copy(name: str, source: str | None, out: Path) -> None:
    """Copies a published list and verifies it."""
    published = splits.copy_published(name, source, out)
    note = splits.identify(splits.read_lines(out)).note
    print(f"{out}: {published.count} images, verified as {name}. {note}")


def draw_lists(words: Sequence[str], sizes: Sequence[str], how: str, seed: int, out: Path) -> None:
    """Draws nested lists from the training images of a data set that have masks.

    Args:
        words: the data set, as for training: `data=photos`, `data=voc data.root=VOC`.
        sizes: numbers of images or shares.
        how: random, balanced or every.
        seed: another seed, another draw.
        out: the folder of the lists.
    """
    if any(word.startswith("data.labeled=") for word in words):
        raise UserError("Lists are drawn from all images with masks; leave out data.labeled.")
    data = load_recipe(None, words).source().open()
    for size, names in draw(data.labeled, sizes, how, seed).items():
        file = out / f"{how}_{size.replace('/', '_')}_seed{seed}.txt"
        write_whole(file, "".join(f"{name}\n" for name in names).encode())
        print(f"{file}: {len(names)} of {len(data.labeled)} images")
    print(f"The {len(data.val)} validation images were left alone.")
