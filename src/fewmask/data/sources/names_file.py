"""Names of classes from a file: a .txt list, or MATLAB's cell array."""

from pathlib import Path
from typing import Any

import numpy as np

from fewmask.data.lists.reading import read_text
from fewmask.data.mask_arrays import read_content
from fewmask.errors import UserError, listed

NAMES_SUFFIXES = (".txt", ".mat")


def read_names(file: Path) -> list[str]:
    """The names of the classes, in order of the labels.

    Args:
        file: with one name a line, or with one cell array of names.

    Raises:
        UserError: if the file cannot be read, or holds anything else.
    """
    if file.suffix.lower() == ".txt":
        return [line.strip() for line in read_text(file).splitlines() if line.strip()]
    content = read_content(file, "names of classes")
    vectors = {key: value for key, value in content.items() if _are_names(value)}
    if len(vectors) != 1:
        held = listed(vectors) if vectors else "none"
        raise UserError(f"data.names={file}: expected one cell array of names; found {held}.")
    return [str(name).strip() for name in next(iter(vectors.values()))]


def _are_names(value: Any) -> bool:
    """Whether a variable is a vector of text."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and all(isinstance(name, str) for name in value)
    )
