"""Masks with one file for each object of an image, in a folder of their own: nuclei, leaves."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fewmask.errors import UserError


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
        UserError: if two of the folders hold files of one name that has no digit.
    """
    count: Counter[str] = Counter()
    for folder in folders:
        count.update({part.stem for part in mask_parts(folder, suffixes)})
    names = [name for name, times in count.items() if times > 1 and not re.search(r"\d", name)]
    if len(names) > 1:
        raise UserError(
            f"The folders of masks hold files of the same names ({', '.join(sorted(names)[:4])}), "
            "so each file seems to be a class. In such a folder, each file may be one object. Save "
            "one mask per image, with a number for each class."
        )
