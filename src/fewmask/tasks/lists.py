"""Lists of labeled images: recognize one, copy a published one, draw new ones."""

from collections.abc import Sequence
from pathlib import Path

from fewmask.data.lists import published
from fewmask.data.lists.drawing import draw
from fewmask.data.lists.reading import read_lines
from fewmask.data.own_files import OwnFiles
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
    """Copies a published list and verifies it.

    Raises:
        UserError: if the list cannot be had, or `out` is another file of the user.
    """
    own, wanted = OwnFiles(out.parent), published.find_published(name).sha256
    if not (out.is_file() and published.recognize(read_lines(out)).sha256 == wanted):
        own.require_free(out)
    copied = published.copy_published(name, source, out)
    own.note(out)
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
        UserError: if the recipe already names a labeled list, or a list was changed since it was
            drawn.
    """
    if (
        getattr(recipe.data, "labeled", None) is not None
        and "labeled" in recipe.data.model_fields_set
    ):
        raise UserError("Lists are drawn from all images with masks. Leave out data.labeled.")
    data = recipe.source().open()
    drawn, own = draw(data.labeled, sizes, how, seed), OwnFiles(out)
    files = [out / f"{how}_{size.replace('/', '_')}_seed{seed}.txt" for size in drawn]
    texts = ["".join(f"{name}\n" for name in names) for names in drawn.values()]
    changed = [file for file, text in zip(files, texts, strict=True) if not _holds(file, text)]
    own.require_free(*changed)
    for file, text, names in zip(files, texts, drawn.values(), strict=True):
        own.write_text(file, text)
        print(f"{file}: {len(names)} of {len(data.labeled)} images")
    print(f"None of the {len(data.val)} validation images is on a list.")


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
