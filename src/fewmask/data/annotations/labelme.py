"""LabelMe: one JSON file per image."""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from fewmask.atomic import parse_json, read_text
from fewmask.data.annotations.annotation import (
    Annotation,
    Export,
    Shape,
    annotation,
    box,
    ellipse,
    pixel_shape,
    polygon,
)
from fewmask.data.annotations.objects import Labeled, objects
from fewmask.data.annotations.photos import upright_size
from fewmask.data.annotations.source import Source
from fewmask.data.decoding import decoded
from fewmask.data.image_files import files_below
from fewmask.data.own_files import OwnFiles
from fewmask.errors import UserError


def read(source: Source) -> Export | None:
    """The annotations of a file, or of all files below a folder; None for another format.

    Raises:
        UserError: if the folder has no .json files.
    """
    path = source.path
    if path.is_dir():
        files = [file for file in files_below(path) if file.suffix == ".json"]
        if not files:
            raise UserError(
                f"{path} has neither LabelMe .json files nor a folder labels with YOLO .txt files."
            )
        return Export(_annotation(f.relative_to(path).as_posix(), f, _content(f)) for f in files)
    if not isinstance(source.json, dict) or "shapes" not in source.json:
        return None
    return Export([_annotation(path.name, path, source.json)])


def _content(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ValueError(f"{file.name} is not a file")
    try:
        content = parse_json(read_text(file, "utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{file.name} is damaged: {error}") from None
    if not isinstance(content, dict) or "shapes" not in content:
        raise ValueError(f"{file.name} is of another tool than LabelMe. Import it by itself")
    return content


def _annotation(name: str, file: Path, content: dict[str, Any]) -> Annotation:
    shapes = [_shape(shape) for shape in content["shapes"]]
    return annotation(name, *_size(content, file), shapes)


def _size(content: dict[str, Any], file: Path) -> tuple[int, int]:
    """Width and height, which some versions leave to the photo itself."""
    width, height = content.get("imageWidth"), content.get("imageHeight")
    if width is not None and height is not None:
        return width, height
    if content.get("imageData"):
        photo: Any = BytesIO(base64.b64decode(content["imageData"]))
    else:
        photo = file.parent / str(content.get("imagePath", "")).replace("\\", "/")
        if not photo.is_file():
            raise ValueError(f"{file.name} holds no imageWidth and imageHeight, nor the photo")
    return upright_size(photo)


def _shape(shape: dict[str, Any]) -> Shape | str:
    points = np.array(shape["points"], float).reshape(-1, 2)
    name, kind = str(shape["label"]), shape.get("shape_type") or "polygon"
    # Other programs write the four corners of rectangles, upright or rotated.
    if kind == "rotation" or (kind == "rectangle" and len(points) == 4):
        kind = "polygon"
    if kind in ("rectangle", "circle", "mask") and len(points) != 2:
        return f"empty {kind}"
    if kind == "polygon":
        return polygon(name, points)
    if kind == "rectangle":
        return Shape(name, box(*points[0], *points[1]))
    if kind == "circle":  # the center and a point on the edge
        radius = float(np.linalg.norm(points[1] - points[0]))
        return Shape(name, ellipse(points[0], radius, radius))
    if kind == "mask":
        try:
            with decoded(BytesIO(base64.b64decode(shape["mask"]))) as picture:
                pixels = np.asarray(picture.convert("L")) > 0
        except UnidentifiedImageError:
            raise ValueError(f"the pixels of an object '{name}' are no picture") from None
        left, top = np.rint(points.min(axis=0)).astype(int)
        return pixel_shape(name, pixels, (int(left), int(top)))
    return str(kind)


def write(photos: Iterable[Labeled], names: Mapping[int, str], folder: Path, own: OwnFiles) -> None:
    """Writes a file for each photo, with one shape of type `mask` for each object.

    LabelMe saves corrections into the same files. So a file that was changed is kept, and so is one
    that is newer than its mask.
    """
    for photo in photos:
        file = folder / PurePosixPath(photo.name).with_suffix(".json")
        if file.is_file() and file.stat().st_mtime_ns >= photo.since:
            continue
        if not own.may_write(file):
            continue
        height, width = photo.labels.shape
        content = {
            "version": "5.4.1",  # the file format has not changed since masks came
            "flags": {},
            "shapes": [_mask(shape) for shape in objects(photo.labels, names)],
            "imagePath": _way(file, photo.photo),
            "imageData": None,  # LabelMe reads the photo
            "imageHeight": height,
            "imageWidth": width,
        }
        own.write_text(file, json.dumps(content, ensure_ascii=False))


def _mask(shape: Shape) -> dict[str, Any]:
    assert shape.pixels is not None
    (left, top), (height, width) = shape.corner, shape.pixels.shape
    picture = BytesIO()
    Image.fromarray(shape.pixels.astype(np.uint8) * 255).save(picture, format="PNG")
    return {
        "label": shape.name,
        # The first and the last pixel.
        "points": [[left, top], [left + width - 1, top + height - 1]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(picture.getvalue()).decode(),
    }


def _way(file: Path, photo: Path) -> str:
    """The path from a LabelMe file to its photo."""
    # A photo may be a link to a file of another name, so only its folder is resolved.
    target = photo.parent.resolve() / photo.name
    try:
        return Path(os.path.relpath(target, file.parent.resolve())).as_posix()
    except ValueError:  # on another drive
        return target.as_posix()
