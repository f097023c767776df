"""Reads masks that are arrays, not pictures: NumPy's .npy and .npz, and MATLAB's .mat."""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.atomic import obstacle
from fewmask.data.decoding import TooLarge, require_pixels
from fewmask.data.matlab_files import read_matlab
from fewmask.errors import UserError, listed

ARRAY_SUFFIXES = (".npy", ".npz", ".mat")


def read_array(file: Path, wanted: str = "") -> np.ndarray:
    """Reads the numbers of a mask, integers [H, W].

    Args:
        file: with a suffix of `ARRAY_SUFFIXES`.
        wanted: the name of the array, if the file holds several: `Segmentation`, or its whole path,
            `groundTruth.Segmentation`.

    Raises:
        UserError: if the file is missing or damaged, holds no array that can be a mask, or several
            of which none is wanted.
    """
    try:
        values = _chosen(read_content(file), wanted, file)
        require_pixels(values.shape)
    except TooLarge as error:
        raise UserError(f"Cannot read mask {file}: {error}") from None
    numbers = whole_numbers(values, file) if values.dtype.kind in "fu" else values
    return numbers.astype(np.uint8) if numbers.dtype == bool else numbers


def whole_numbers(values: np.ndarray, file: Path) -> np.ndarray:
    """Floats as the whole numbers that they hold, int64.

    Raises:
        UserError: if they hold anything else.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize < 8:
        return values
    big = not np.isfinite(values).all() or float(np.abs(values).max(initial=0)) >= 2**31
    if big or (values != np.rint(values)).any():
        raise UserError(
            f"Mask {file}: it holds fractions, NaN or huge numbers, and labels are small whole "
            "numbers. Save it as a gray PNG of 8 or 16 bits."
        )
    return values.astype(np.int64)


def read_content(file: Path, kind: str = "mask") -> Any:
    """What the file holds: an array, or arrays by name.

    Args:
        file: with a suffix of `ARRAY_SUFFIXES`.
        kind: what it is, for messages.

    Raises:
        UserError: if the file is missing, damaged, or holds Python objects.
    """
    try:
        if why := obstacle(file):
            raise OSError(why)
        if file.suffix.lower() == ".mat":
            return read_matlab(file)
        if zipfile.is_zipfile(file):  # a short file can stand for zeros without end
            with zipfile.ZipFile(file) as members:
                require_pixels((sum(one.file_size for one in members.infolist()) // 8, 1))
        found = np.load(file, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else _numbers_of(found)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"There is no {kind} {file}.") from None
    except Exception as error:  # SciPy and zipfile raise a dozen kinds for a damaged file
        is_pickled = "allow_pickle" in str(error)
        reason = "it holds Python objects, not numbers" if is_pickled else error
        raise UserError(f"Cannot read {kind} {file}: {reason}. Export it again.") from None


def _numbers_of(archive: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, without Python objects, which may hold programs."""
    found = {}
    for name in archive:
        try:
            found[name] = archive[name]
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
    return found


def _chosen(content: Any, wanted: str, file: Path) -> np.ndarray:
    found = dict(_arrays(content))
    matches = {
        name: array
        for name, array in found.items()
        if not wanted or name == wanted or name.endswith(f".{wanted}")
    }
    if len(matches) == 1:
        return next(iter(matches.values()))
    names = listed(found)
    if not found:
        held = ", ".join(_described(content)) or "none"
        raise UserError(
            f"Mask {file}: expected one array [H, W] of whole numbers; its arrays are {held}."
        )
    if not matches:
        raise UserError(f"Mask {file}: it holds no array '{wanted}', but {names}.")
    if not wanted:
        raise UserError(
            f"Mask {file}: it holds several arrays ({names}). Say which one is the mask, such as "
            f"data.mask_array={_likely([*matches])}."
        )
    raise UserError(
        f"Mask {file}: it holds several arrays '{wanted}' ({listed(matches)}). Give the whole "
        f"name of one, such as 'data.mask_array={[*matches][0]}'."
    )


def _likely(names: Sequence[str]) -> str:
    """The name that sounds most like a mask, as short as it may be."""
    name = next((name for name in names if re.search("mask|seg|label|gt", name, re.I)), names[0])
    short = name.rpartition(".")[2]
    return short if sum(other.endswith(f".{short}") for other in names) < 2 else f"'{name}'"


def _arrays(content: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All arrays that can be masks, with their paths through structures and cells."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not str(key).startswith("__"):  # MATLAB's header
                yield from _arrays(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list):  # a cell array
        for place, value in enumerate(content):
            yield from _arrays(value, f"{name}[{place}]")
    elif hasattr(content, "toarray"):  # a sparse matrix
        require_pixels(content.shape)  # a few bytes may stand for any size
        yield name, content.toarray()
    elif isinstance(content, np.ndarray) and content.dtype.kind in "biuf" and content.size:
        if content.ndim == 3 and 1 in (content.shape[0], content.shape[2]):
            content = content[..., 0] if content.shape[2] == 1 else content[0]
        if content.ndim == 2:
            yield name, content


def _described(content: Any) -> list[str]:
    """The names and sizes of arrays that are no masks."""
    arrays = content.items() if isinstance(content, Mapping) else [("", content)]
    return [
        f"{name} [{', '.join(map(str, array.shape))}] of {array.dtype}".strip()
        for name, array in arrays
        if isinstance(array, np.ndarray)
    ]
