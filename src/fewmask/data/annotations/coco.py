"""COCO: one JSON file with all images, categories and annotations."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.data.annotations.annotation import (
    Annotation,
    Export,
    Shape,
    annotation,
    pixel_shape,
    polygon,
)
from fewmask.data.annotations.objects import Labeled, objects, pixels_of, runs_of
from fewmask.data.annotations.source import Source
from fewmask.data.own_files import OwnFiles


def read(source: Source) -> Export | None:
    """The annotations of a file, image by image; None for another format."""
    content = source.json
    if not isinstance(content, dict) or "annotations" not in content:
        return None
    _require_unique(content, "categories")
    _require_unique(content, "images")
    names = {one["id"]: str(one["name"]) for one in content["categories"]}
    return Export(_annotations(content, names), [names[key] for key in sorted(names)])


def _require_unique(content: dict[str, Any], key: str) -> None:
    count = Counter(one["id"] for one in content[key])
    twice = next((number for number, times in count.items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"`{key}` has the id {twice} twice, as if two files had been joined")


def _annotations(content: dict[str, Any], names: dict[Any, str]) -> Iterator[Annotation]:
    shapes: dict[Any, list[Shape | str]] = {image["id"]: [] for image in content["images"]}
    sizes = {image["id"]: [image["height"], image["width"]] for image in content["images"]}
    for one in content["annotations"]:
        which = f"annotation {one.get('id', '')}"
        if one["image_id"] not in shapes:
            raise ValueError(
                f"{which} belongs to image {one['image_id']}, which `images` does not list"
            )
        if one["category_id"] not in names:
            raise ValueError(
                f"{which} has category {one['category_id']}, which `categories` does not list"
            )
        outline, size = one.get("segmentation"), sizes[one["image_id"]]
        if isinstance(outline, dict) and [*outline["size"]] != size:
            raise ValueError(
                f"{which} has run lengths for {outline['size']} pixels (height, width), but its "
                f"image has {size}"
            )
        shapes[one["image_id"]] += _shapes(outline, names[one["category_id"]])
    for image in content["images"]:
        yield annotation(image["file_name"], image["width"], image["height"], shapes[image["id"]])


def _shapes(segmentation: Any, name: str) -> Iterator[Shape | str]:
    """The polygons of an object, which add up, or its run lengths."""
    if not segmentation:
        yield "box without an outline"
    elif isinstance(segmentation, dict):
        yield pixel_shape(name, run_lengths(segmentation), (0, 0))
    else:
        for ring in segmentation:
            yield polygon(name, np.array(ring, float).reshape(-1, 2))


def run_lengths(segmentation: Mapping[str, Any]) -> np.ndarray:
    """The pixels that COCO's run lengths (RLE) stand for, bool [H, W].

    Runs go down the columns, and alternate between outside and inside, outside first.

    Args:
        segmentation: with `size` (height, width) and `counts`: numbers, or COCO's compressed text.

    Raises:
        ValueError: if the runs do not fill the image.
    """
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    runs = _uncompressed(counts) if isinstance(counts, str) else [int(run) for run in counts]
    # COCO's runs go down the columns, so rows and columns change places.
    return pixels_of(runs, (height, width)).T


def _uncompressed(text: str) -> list[int]:
    """The runs in COCO's compressed text.

    Each character holds five bits of a number, the lowest first, and whether more follow. From the
    third one on, a number is the difference to the one two places before it.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift  # negative
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def write(photos: Iterable[Labeled], names: Mapping[int, str], file: Path, own: OwnFiles) -> None:
    """Writes one annotation for each object, as run lengths, which are exact and allow holes."""
    ids = {name: number for number, name in enumerate(names.values(), 1)}
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    images: list[dict[str, Any]] = []
    count = 0
    with own.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write(f'{{"info": {{}}, "licenses": [], "categories": {_text(categories)},\n')
        out.write('"annotations": [')
        for photo in photos:
            height, width = photo.labels.shape
            image = {"id": len(images) + 1, "file_name": photo.name}
            images.append({**image, "width": width, "height": height})
            for shape in objects(photo.labels, names):
                count += 1
                whose = {"id": count, "image_id": image["id"], "category_id": ids[shape.name]}
                out.write(",\n" if count > 1 else "\n")
                out.write(_text({**whose, **_outline(shape, height, width)}))
        out.write(f'],\n"images": {_text(images)}}}\n')


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def _outline(shape: Shape, height: int, width: int) -> dict[str, Any]:
    """What COCO says about the pixels of an object."""
    assert shape.pixels is not None
    (left, top), (rows, columns) = shape.corner, shape.pixels.shape
    counts = runs_of(shape.pixels.T, (top, left), (height, width))
    return {
        "segmentation": {"size": [height, width], "counts": counts},
        "bbox": [left, top, columns, rows],
        "area": int(shape.pixels.sum()),
        "iscrowd": 0,
    }
