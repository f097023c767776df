"""Label Studio: one JSON file with all tasks, exported as "JSON" or "JSON-MIN"."""

import base64
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from fewmask.data.annotations.annotation import (
    Annotation,
    Export,
    Shape,
    annotation,
    box,
    ellipse,
    pixel_shape,
    polygon,
    rotate,
    stem_of,
)
from fewmask.data.annotations.packed_runs import unpack
from fewmask.data.annotations.source import Source
from fewmask.data.decoding import decoded
from fewmask.data.images import IMAGE_SUFFIXES

Json = dict[str, Any]
UNLABELED = ("polygon", "brush", "rectangle", "ellipse", "bitmask")
"""Kinds of regions whose label is given separately, or was forgotten."""


def read(source: Source) -> Export | None:
    """The annotations of a file, task by task; None for another format."""
    tasks = source.json
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        return None
    if not all("data" in task for task in tasks):
        if not all("annotation_id" in task for task in tasks):
            return None
        tasks = _full_tasks(tasks)
    done = [(task, _annotations_of(task)) for task in tasks]
    annotated = [_annotation(task, several[-1], source) for task, several in done if several]
    bare = [_name(task) for task, several in done if not several]
    many = [_name(task) for task, several in done if len(several) > 1]
    notes = []
    if bare:
        notes.append(
            f"{len(bare)} task(s) were skipped or not annotated and get no mask (first: {bare[0]})."
        )
    if any(task.get("predictions") for task, several in done if not several):
        notes.append("Predictions do not count: submit them in Label Studio, and export again.")
    if many:
        further = sum(len(several) - 1 for _, several in done if several)
        notes.append(
            f"{further} annotation(s) of tasks that have several are left out (first: {many[0]}). "
            "The ground truth counts, else the newest one."
        )
    return Export(annotated, notes=notes)


def _full_tasks(entries: Sequence[Json]) -> list[Json]:
    """The tasks of "JSON-MIN", which has an entry for each annotation, as "JSON" has them."""
    tasks: dict[Any, Json] = {}
    for number, entry in enumerate(entries):
        task = tasks.setdefault(entry.get("id", f"entry {number}"), {"data": entry})
        results = [
            {**value, "type": key, "value": value}
            for values in entry.values()
            if isinstance(values, list)
            for value in values
            if isinstance(value, dict)
            for key in value
            if key.endswith("labels")
        ]
        task.setdefault("annotations", []).append({**entry, "result": results})
    return [*tasks.values()]


def _annotations_of(task: Json) -> list[Json]:
    """The annotations of a task that nobody cancelled, the one that counts last."""
    found = task.get("annotations") or task.get("completions") or []
    valid = [one for one in found if not (one.get("was_cancelled") or one.get("skipped"))]
    return sorted(valid, key=lambda one: (bool(one.get("ground_truth")), _time(one)))


def _time(one: Json) -> str:
    return str(one.get("updated_at") or one.get("created_at") or "")


def _name(task: Json) -> str:
    return PurePosixPath(image_path(task)).name


def image_path(task: Json) -> str:
    """The path of a task's image, as the user knows it.

    Raises:
        ValueError: if the task does not show one image.
    """
    data = task["data"]
    given = [data["image"]] if "image" in data else [*data.values()]
    paths = [_path(one) for one in given if isinstance(one, str)]
    if "image" not in data:
        paths = [one for one in paths if PurePosixPath(one).suffix.lower() in IMAGE_SUFFIXES]
    if len(paths) != 1:
        raise ValueError(f"a task with {len(paths)} images instead of one: {str(data)[:200]}")
    return paths[0]


def _path(address: str) -> str:
    """The path in an address, without what Label Studio adds to it."""
    if "://" not in address and not address.startswith("/"):
        return address
    parts = urlsplit(address)
    if parts.path.endswith("/data/local-files/"):
        return parse_qs(parts.query)["d"][0].lstrip("/")
    path = unquote(parts.path).lstrip("/")
    # Uploads are stored under a random number: data/upload/1/1a2b3c4d-photo.jpg
    is_upload = "data/upload/" in path
    return re.sub(r"/[0-9a-f]{8}-([^/]+)$", r"/\1", path) if is_upload else path


def _annotation(task: Json, one: Json, source: Source) -> Annotation:
    path = image_path(task)
    name = path if source.names_photos else PurePosixPath(path).name
    regions = _regions(one["result"])
    if turned := [region["image_rotation"] for region in regions if region.get("image_rotation")]:
        raise ValueError(
            f"'{name}' was turned by {turned[0]} degrees while it was labeled. Turn it back in "
            "Label Studio, and export again"
        )
    if any(region.get("item_index") for region in regions):
        raise ValueError(f"the task of '{name}' shows several images")
    size = (0, 0)  # unknown, and not needed without shapes
    if regions and "original_width" in regions[0]:
        size = int(regions[0]["original_width"]), int(regions[0]["original_height"])
    elif regions:
        size = source.photos.size(stem_of(name))
    try:
        shapes = [_shape(region, size) for region in regions]
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None
    return annotation(name, *size, shapes)


def _regions(results: Sequence[Json]) -> list[Json]:
    """The regions of an annotation. The rest is about the whole image, or relates two regions."""
    regions: dict[Any, Json] = {}
    for number, result in enumerate(results):
        # What is said about one region has one id: its outline, its label, its own choices.
        region = regions.setdefault(result.get("id", number), {**result, "value": {}})
        region["value"].update(result.get("value") or {})
    return [one for one in regions.values() if _labels(one) or one["type"] in UNLABELED]


def _labels(region: Json) -> list[str]:
    value = region["value"]
    given = [str(label) for key in value if key.endswith("labels") for label in value[key]]
    return [*dict.fromkeys(given)]


def _shape(region: Json, size: tuple[int, int]) -> Shape | str:
    labels, value = _labels(region), region["value"]
    if len(labels) > 1:
        raise ValueError(
            f"an object has the labels {', '.join(labels)}, but a pixel can have only one"
        )
    label, scale = "".join(labels), np.array(size) / 100  # coordinates are in percent
    if "points" in value:
        return polygon(label, np.array(value["points"], float).reshape(-1, 2) * scale)
    if "rle" in value:
        return pixel_shape(label, _solid(unpack(value["rle"], (size[1], size[0], 4))), (0, 0))
    if "imageDataURL" in value:
        return pixel_shape(label, _solid(_bit_mask(value["imageDataURL"], size)), (0, 0))
    if "radiusX" in value:
        center, radii = _pairs(value, "x", "y", "radiusX", "radiusY") * scale
        outline = ellipse(center, *radii)
        return Shape(label, rotate(outline, float(value.get("rotation") or 0)))
    if "height" in value:
        corner, sides = _pairs(value, "x", "y", "width", "height") * scale
        outline = box(*corner, *(corner + sides))
        return Shape(label, rotate(outline, float(value.get("rotation") or 0), corner))
    return str(region["type"].removesuffix("labels") or "region")


def _pairs(value: Json, *keys: str) -> np.ndarray:
    return np.array([value[key] for key in keys], float).reshape(2, 2)


def _bit_mask(url: str, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a PNG that is written into its address, uint8 [H, W, 4]."""
    with decoded(BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        if picture.size != size:
            raise ValueError(f"a bit mask of {picture.size} pixels in an image of {size}")
        return np.asarray(picture.convert("RGBA"))


def _solid(pixels: np.ndarray) -> np.ndarray:
    """The pixels [H, W, 4] that a brush covers by half or more, bool [H, W]; its edges are soft."""
    opacity = pixels[:, :, 3]
    covered: np.ndarray = opacity > opacity.max(initial=0) // 2
    return covered
