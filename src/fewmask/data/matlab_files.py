"""Reads MATLAB's .mat files of version 5 to 7, after a look at whether they are sound.

SciPy trusts what such a file says of itself: an element of a type that does not exist ends the
process without a message.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from fewmask.atomic import read_bytes
from fewmask.data.decoding import require_pixels
from fewmask.errors import UserError

HEADER, TAG = 128, 8
"""Bytes of the head of a file and of an element."""
TYPES = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18}
"""Of elements, as the MAT-file format numbers them."""
MATRIX, COMPRESSED = 14, 15
VERSION_5 = (b"\x00\x01IM", b"\x01\x00MI")
"""The end of the head, for both orders of bytes. Version 4 has no head, 7.3 another number."""


def read_matlab(file: Path) -> Any:
    """The arrays and structures of a file, by name.

    Raises:
        UserError: if SciPy is not installed, or the file is of version 7.3.
        Exception: of a dozen kinds, if the file is damaged.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise UserError(f"{file}: .mat files need SciPy: pip install 'fewmask[prepare]'") from None
    content = read_bytes(file)
    mark = content[HEADER - 4 : HEADER]
    if mark in VERSION_5:
        _require_sound(content[HEADER:], "<" if mark == VERSION_5[0] else ">")
    try:
        return loadmat(BytesIO(content), simplify_cells=True)
    except NotImplementedError:
        raise UserError(
            f"{file}: it is a MATLAB file of version 7.3 (HDF5). Save it with "
            "save(..., '-v7'), or as PNG."
        ) from None


def _require_sound(content: bytes, order: str) -> None:
    """Raises a ValueError unless each element is of a known type, and inside of its parent."""
    start = 0
    while start < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, start)
        begin, after = start + TAG, start + TAG + size
        if kind >> 16:  # a small element holds up to four bytes in its own tag
            kind, size = kind & 0xFFFF, kind >> 16
            begin, after = start + 4, start + TAG
        if kind not in TYPES or begin + size > len(content) or (begin < start + TAG and size > 4):
            raise ValueError(f"it is damaged at byte {start} of an element")
        inner = content[begin : begin + size]
        if kind == COMPRESSED:
            _require_sound(_inflated(inner), order)
        elif kind == MATRIX:
            _require_sound(inner, order)
        # Elements begin at multiples of 8 bytes, apart from those behind compressed ones.
        start = after if kind == COMPRESSED else after + -after % TAG


def _inflated(content: bytes) -> bytes:
    """What compressed bytes stand for, unless it is beyond the limit on images."""
    inflater = zlib.decompressobj()
    pieces = [inflater.decompress(content, 1 << 24)]
    while inflater.unconsumed_tail:
        require_pixels((sum(map(len, pieces)) // 8, 1))
        pieces.append(inflater.decompress(inflater.unconsumed_tail, 1 << 24))
    return b"".join(pieces)
