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

from fewmask.data.annotations.objects import Labeled
from fewmask.data.annotations.packed_runs import pack
from fewmask.data.own_files import OwnFiles


def write(photos: Iterable[Labeled], names: Mapping[int, str], file: Path, own: OwnFiles) -> None:
    """Writes one task for each photo, with one brush region for each class in it.

    Not one for each object, because Label Studio draws every region on a canvas of the photo's
    size.

    Raises:
        UserError: for a photo that is too large for the format.
    """
    with own.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
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
        "value": {"format": "rle", "rle": pack(pixels), "brushlabels": [name]},
    }
