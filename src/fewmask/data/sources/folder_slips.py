"""What people write into a folder's YAML file, as what they mean."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewmask.batch import IGNORE
from fewmask.data.images import IMAGE_SUFFIXES


def names_in_order(names: Any) -> Any:
    """Names by their numbers, {0: soil, 1: weed}, as a list; anything else as it is."""
    if not isinstance(names, (Mapping, list, tuple)):
        return names
    if len(names) > IGNORE:
        raise ValueError(f"{len(names)} classes are more than the {IGNORE} that a mask can hold")
    if not isinstance(names, Mapping):
        return names
    if {*names} != {*range(len(names))}:
        raise ValueError(f"expected the numbers 0..{len(names) - 1}, each once")
    return [names[number] for number in range(len(names))]


def spaced(mapping: Any) -> Any:
    """A mapping of numbers. Without a space after each colon, YAML sees one word."""
    if isinstance(mapping, Mapping):
        for key, value in mapping.items():
            if value is None and isinstance(key, str) and ":" in key:
                raise ValueError("a space is needed after each colon, as in {0: 0, 255: 1}")
    return mapping


def with_hash(palette: Any) -> Any:
    """Colors as #rrggbb. Without the hash and quotes, YAML sees numbers in some of them."""
    if not isinstance(palette, Mapping):
        return palette
    colors = [_color(key) for key in palette]
    if len({color.lower() for color in colors}) < len(colors):
        raise ValueError("expected each color once, in capital or small letters")
    return dict(zip(colors, palette.values(), strict=True))


def _color(key: Any) -> Any:
    text = str(key)
    text = text.removeprefix("0x").removeprefix("#")
    if re.fullmatch("[0-9a-fA-F]{6}", text) is None:
        raise ValueError(f"{key!r} is no color. Write it as red, green and blue, '#ff8000'")
    return f"#{text}"


def several(values: Any) -> Any:
    """One number as a list of one."""
    return (values,) if isinstance(values, int) and not isinstance(values, bool) else values


def number_or_list(labeled: Any) -> Any:
    """A number of labeled images, or a list; `true` would count as one image."""
    if isinstance(labeled, bool) or labeled in ("yes", "no", "all", "none"):
        raise ValueError("expected a number, a .txt list, or null for all images with a mask")
    return labeled


def without_extension(end: str) -> str:
    """The end of a name without an extension: `_mask` for `_mask.png`. `.jpg` alone may stay."""
    suffix = Path(end).suffix
    return end.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else end
