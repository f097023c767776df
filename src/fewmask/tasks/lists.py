"""Lists of labeled images: recognize one, copy a published one, draw new ones."""

from collections.abc import Sequence
from pathlib import Path

from fewmask import atomic
from fewmask.data.lists import published
from fewmask.data.lists.drawing import draw
from fewmask.data.lists.reading import read_lines
from fewmask.errors import UserError
from fewmask.recipes import Recipe


def recognize(file: Path) -> published.ImageList:
    """Prints whether a list is one of the published lists."""
    split = published.recognize(read_lines(file))
    print(f"{file}: {split.count} images, SHA-256 of the sorted names {split.sha256}")
    for known in split.published:
        print(f"  {known.name}, {known.kind}, github.com/{known.repository}")
    print(f"  {split.note}" if split.published else "  It does not match any published list.")
    return split


def copy(name: str, source: str | None, out: Path) -> None:
    """Copies a published list and verifies it."""
    copied = published.copy_published(name, source, out)
    note = published.recognize(read_lines(out)).note
    print(f"{out}: {copied.count} images, verified as {name}. {note}")


def draw_lists(recipe: Recipe, sizes: Sequence[str], how: str, seed: int, out: Path) -> None:
    """Draws nested lists from the training images that have masks.

    Args:
        recipe: names the data.
        sizes: numbers of images, or shares such as `1/8`.
        how: random, balanced or every.
        seed: random seed of the draw.
        out: the folder for the lists.

    Raises:
        UserError: if the recipe already names a labeled list.
    """
    if (
        getattr(recipe.data, "labeled", None) is not None
        and "labeled" in recipe.data.model_fields_set
    ):
        raise UserError("Lists are drawn from all images with masks. Leave out data.labeled.")
    data = recipe.source().open()
    for size, names in draw(data.labeled, sizes, how, seed).items():
        file = out / f"{how}_{size.replace('/', '_')}_seed{seed}.txt"
        atomic.write_text(file, "".join(f"{name}\n" for name in names))
        print(f"{file}: {len(names)} of {len(data.labeled)} images")
    print(f"The {len(data.val)} validation images were not drawn from.")
