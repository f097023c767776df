"""COCO: one JSON file with all images, categories and annotations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.data.annotations.annotation import Annotation, Shape, annotation, polygon


def read(source: Path) -> Iterator[Annotation] | None:
    """The annotations of a file, image by image; None for another format."""
    if source.is_dir() or source.suffix.lower() != ".json":
        return None
    content = json.loads(source.read_text("utf-8-sig"))
    return _annotations(content) if "annotations" in content else None


def _annotations(content: dict[str, Any]) -> Iterator[Annotation]:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    shapes: dict[Any, list[Shape | str]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        shapes[one["image_id"]] += _shapes(one, names)
    for image in content["images"]:
        yield annotation(image["file_name"], image["width"], image["height"], shapes[image["id"]])


def _shapes(one: dict[str, Any], names: dict[Any, str]) -> Iterator[Shape | str]:
    """The polygons of an object. They add up."""
    segmentation = one.get("segmentation")
    if not segmentation:
        yield "box without an outline"
        return
    if not isinstance(segmentation, list):
        raise ValueError("run lengths (RLE); export polygons")
    for ring in segmentation:
        yield polygon(names[one["category_id"]], np.array(ring, float).reshape(-1, 2))
