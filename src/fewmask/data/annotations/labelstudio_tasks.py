"""Label Studio: one JSON file of tasks, in which predictions are brush strokes to be corrected.

They fit a labeling configuration with `<Image name="image" value="$image"/>` and
`<BrushLabels name="label" toName="image">`, which lists the classes by name.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from fewmask.atomic import replacing
from fewmask.data.annotations.objects import Labeled, runs_of
from fewmask.errors import UserError

CHANNELS = 4
"""Label Studio's run lengths count bytes of red, green, blue and opacity."""
LENGTH_BITS = (3, 4, 8, 16)
"""How many bits the length of a run may take."""


def write(photos: Iterable[Labeled], names: Mapping[int, str], file: Path) -> None:
    """Writes one task for each photo, with one brush region for each class in it.

    Not one for each object, because Label Studio draws every region on a canvas of the photo's
    size.

    Args:
        photos: read one after the other, so that one at a time is in memory.
        names: of the classes, by label.
        file: to write to.

    Raises:
        UserError: for a photo that is too large for the format.
    """
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write("[")
        for number, photo in enumerate(photos):
            result = [
                _region(photo.labels == label, label, name)
                for label, name in names.items()
                if (photo.labels == label).any()
            ]
            predictions = [{"model_version": "fewmask", "result": result}]
            task = {"data": {"image": _address(photo)}, "predictions": predictions}
            out.write(",\n" if number else "\n")
            out.write(json.dumps(task, ensure_ascii=False))
        out.write("\n]\n")


def _address(photo: Labeled) -> str:
    """Where Label Studio finds the photo: from the folder above the one that the name starts in."""
    parents = photo.photo.absolute().parents
    base = parents[min(len(PurePosixPath(photo.name).parts), len(parents)) - 1]
    return f"/data/local-files/?d={quote(f'{base.name}/{photo.name}'.lstrip('/'))}"


def _region(pixels: np.ndarray, label: int, name: str) -> dict[str, Any]:
    height, width = pixels.shape
    return {
        "id": f"class-{label}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": packed(pixels), "brushlabels": [name]},
    }


def packed(pixels: np.ndarray) -> list[int]:
    """Label Studio's run lengths of bool [H, W], as bytes.

    A head of 53 bits: the number of values (32), the bits of a value less 1 (5), and the bits of
    each of four kinds of lengths less 1 (4 times 4). Then the runs: a bit 1 (0 would mean values
    that differ), the kind of the length (2), the length less 1, and the value (8).

    Raises:
        UserError: if there are too many pixels to be counted.
    """
    height, width = pixels.shape
    if pixels.size * CHANNELS >= 1 << 32:
        raise UserError(
            f"A photo of {width} x {height} pixels is too large for Label Studio's masks. Cut it "
            "into tiles, or choose another format for --annotations."
        )
    bits = [f"{pixels.size * CHANNELS:032b}", f"{8 - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in LENGTH_BITS]
    for number, run in enumerate(runs_of(pixels, (0, 0), (width, height))):
        value, left = 255 * (number % 2), run * CHANNELS
        while left:
            length = min(left, 1 << LENGTH_BITS[-1])
            kind = next(k for k, size in enumerate(LENGTH_BITS) if length <= 1 << size)
            bits.append(f"1{kind:02b}{length - 1:0{LENGTH_BITS[kind]}b}{value:08b}")
            left -= length
    text = "".join(bits)
    count = -(-len(text) // 8)
    return [*int(text.ljust(count * 8, "0"), 2).to_bytes(count, "big")]
