"""Masks with one file for each object of an image, in a folder of their own: nuclei, leaves."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fewmask.errors import UserError

SHARED = 0.2
"""If this share of the folders has a file of one name, the name means something."""


def mask_parts(mask: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files that a mask consists of: itself, or those of its folder, sorted.

    Args:
        mask: a file, which need not exist, or a folder.
        suffixes: of the files that count, in lower case.
    """
    if not mask.is_dir():
        return [mask]
    files = (file for file in mask.iterdir() if not file.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in suffixes)


def require_objects(folders: Iterable[Path], suffixes: Sequence[str]) -> None:
    """Refuses folders with one file for each *class*, whose names come again in each of them.

    Files of objects are merged, and their names are numbers or random. Merging would lose classes.

    Raises:
        UserError: if some of the folders hold files of the same two names, numbers apart.
    """
    named = [
        {_name(part, folder) for part in mask_parts(folder, suffixes)} - {""} for folder in folders
    ]
    count = Counter(name for words in named for name in words)
    # Random names have a part in common by chance.
    least = max(2, SHARED * len(named))
    names = {name for name, times in count.items() if times >= least}
    if any(len(names & words) > 1 for words in named):
        raise UserError(
            f"The folders of masks hold files of the same names ({', '.join(sorted(names)[:4])}), "
            "so each file seems to be a class. In such a folder, each file may be one object. Save "
            "one mask per image, with a number for each class."
        )


def _name(part: Path, folder: Path) -> str:
    """The words in the name of a file, without those of its image: cat for p1/p1_cat_02.png."""
    name = part.stem
    for image in (folder.name, folder.parent.name):
        name = name.replace(image, "")
    words = re.findall(r"[^\W\d_]{3,}", name)
    if "class" in words or not re.search(r"\d", name):
        return name
    return " ".join(word for word in words if not re.fullmatch("[a-fA-F]+", word))
