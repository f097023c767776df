"""Reads masks that are arrays, not pictures: NumPy's .npy and .npz, and MATLAB's .mat."""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.data.decoding import require_pixels
from fewmask.data.matlab_files import read_matlab
from fewmask.errors import UserError

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
    values = _chosen(_content(file), wanted, file)
    numbers = whole_numbers(values, file) if values.dtype.kind in "fu" else values
    return numbers.astype(np.uint8) if numbers.dtype == bool else numbers


def whole_numbers(values: np.ndarray, file: Path) -> np.ndarray:
    """Floats as the whole numbers that they hold, int64.

    Raises:
        UserError: if they hold anything else.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize < 8:
        return values
    big = not np.isfinite(values).all() or np.abs(values).max(initial=0) >= 2**31
    if big or (values != np.rint(values)).any():
        raise UserError(
            f"Mask {file}: it holds fractions, NaN or huge numbers, and labels are small whole "
            "numbers. Save it as a gray PNG of 8 or 16 bits."
        )
    return values.astype(np.int64)


def _content(file: Path) -> Any:
    """What the file holds: an array, or arrays by name."""
    try:
        if file.exists() and not file.is_file():
            raise OSError("it is a pipe or a device, and not a file")
        if file.suffix.lower() == ".mat":
            return read_matlab(file)
        if zipfile.is_zipfile(file):  # a short file can stand for zeros without end
            with zipfile.ZipFile(file) as members:
                require_pixels((sum(one.file_size for one in members.infolist()) // 8, 1))
        found = np.load(file, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else dict(found)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"There is no mask {file}.") from None
    except Exception as error:  # SciPy and zipfile raise a dozen kinds for a damaged file
        raise UserError(f"Cannot read mask {file}: {error}. Export it again.") from None


def _chosen(content: Any, wanted: str, file: Path) -> np.ndarray:
    found = dict(_arrays(content))
    matches = {
        name: array
        for name, array in found.items()
        if not wanted or name == wanted or name.endswith(f".{wanted}")
    }
    if len(matches) == 1:
        return next(iter(matches.values()))
    names = ", ".join(found)
    if not found:
        raise UserError(f"Mask {file}: expected one array [H, W] of whole numbers.")
    if not matches:
        raise UserError(f"Mask {file}: it holds no array '{wanted}', but {names}.")
    some = [*matches][0].rpartition(".")[2]
    raise UserError(
        f"Mask {file}: it holds several arrays ({names}). Say which one is the mask, such as "
        f"data.mask_array={some}."
        if not wanted
        else f"Mask {file}: it holds several arrays '{wanted}' ({', '.join(matches)}). Give the "
        "whole name of one: data.mask_array."
    )


def _arrays(content: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All arrays that can be masks, with their paths through structures and cells."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not str(key).startswith("__"):  # MATLAB's header
                yield from _arrays(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list):  # a cell array
        for place, value in enumerate(content):
            yield from _arrays(value, f"{name}[{place}]")
    elif isinstance(content, np.ndarray) and content.ndim == 2 and content.dtype.kind in "biuf":
        yield name, content
