"""Masks from what labeling tools export: LabelMe JSON, COCO JSON, CVAT XML.

Shapes are drawn in the order of the file, later ones over earlier ones. Pixels outside all of them
are class 0, which is called background.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import Image

from fewmask.data.convert import save_mask
from fewmask.errors import UserError

BACKGROUND = "background"


class Shape(NamedTuple):
    """One object, or one part of it; as an outline or as pixels."""

    name: str
    outline: np.ndarray  # [N, 2], x and y in pixels; of shape [0, 2] if there are pixels
    pixels: np.ndarray | None = None  # bool [h, w]
    corner: tuple[int, int] = (0, 0)  # where the pixels begin: x, y


class Annotated(NamedTuple):
    """What one image is annotated with."""

    stem: str
    width: int
    height: int
    shapes: list[Shape]
    left_out: list[str]
    """Kinds of the shapes that cover no pixels (lines, points), or that are empty."""


class Imported(NamedTuple):
    """What was drawn."""

    classes: list[str]
    """Names of all classes, background first."""
    drawn: dict[str, int]
    """Shapes drawn, by image stem."""
    left_out: Counter[str]
    """Shapes that were not, by kind."""


def import_masks(
    source: Path, out: Path, names: Sequence[str] = (), overwrite: bool = False
) -> Imported:
    """Draws masks from an export; nothing is written before all of it is understood.

    Args:
        source: a COCO JSON, a CVAT XML, or a folder of LabelMe JSON files.
        out: the folder of the masks, one PNG per annotated image.
        names: of the classes behind the background, in order; by default as they come, sorted.
        overwrite: whether masks that are there may be replaced.

    Raises:
        UserError: if the source is none of these, damaged, or names a class that `names` lacks; or
            if a mask is there already.
    """
    annotated = list(read_annotations(source))
    if not annotated:
        raise UserError(f"{source} annotates no image.")
    found = sorted({shape.name for one in annotated for shape in one.shapes} - {BACKGROUND})
    classes = [BACKGROUND, *(names or found)]
    foreign = [name for name in found if name not in classes]
    if foreign:
        raise UserError(
            f"{source} has objects called '{foreign[0]}', which --names leaves out. Names there: "
            f"{', '.join(found)}."
        )
    if len(classes) > 255:
        raise UserError(f"{source} has {len(classes)} classes; a mask can hold 255.")
    count = Counter(one.stem for one in annotated)
    twice = [stem for stem, times in count.items() if times > 1]
    if twice:
        raise UserError(f"{source} annotates two images called '{twice[0]}'.")
    there = [one.stem for one in annotated if (out / f"{one.stem}.png").exists()]
    if there and not overwrite:
        raise UserError(
            f"{len(there)} of these masks are in {out} already (first: {there[0]}.png). Give "
            "another --out, or --overwrite to replace them."
        )
    for one in annotated:
        save_mask(draw(one, classes), out / f"{one.stem}.png")
    drawn = {one.stem: len(one.shapes) for one in annotated}
    return Imported(classes, drawn, Counter(kind for one in annotated for kind in one.left_out))


def draw(one: Annotated, classes: Sequence[str]) -> np.ndarray:
    """The labels of one image, uint8 [H, W]."""
    labels = np.zeros((one.height, one.width), np.uint8)
    for shape in one.shapes:
        label = classes.index(shape.name)
        if shape.pixels is None:
            cv2.fillPoly(labels, [np.rint(shape.outline).astype(np.int32)], label)
            continue
        left, top = shape.corner
        height, width = shape.pixels.shape
        box = labels[top : top + height, left : left + width]
        box[shape.pixels[: box.shape[0], : box.shape[1]]] = label
    return labels


def read_annotations(source: Path) -> Iterator[Annotated]:
    """The annotations of an export, image by image.

    Raises:
        UserError: if it is none that is known, or damaged.
    """
    try:
        if source.is_dir():
            files = sorted(source.rglob("*.json"))
            if not files:
                raise UserError(f"There are no LabelMe .json files in {source}.")
            folder = source
            for source in files:
                name = source.relative_to(folder).as_posix()
                yield _labelme(name, json.loads(source.read_text("utf-8-sig")))
        elif source.suffix.lower() == ".xml":
            yield from _cvat(ElementTree.parse(source).getroot())
        elif source.suffix.lower() == ".json":
            content = json.loads(source.read_text("utf-8-sig"))
            yield from (
                _coco(content) if "annotations" in content else [_labelme(source.name, content)]
            )
        else:
            raise UserError(
                f"{source}: expected a COCO .json, a CVAT .xml, or a folder of LabelMe .json files."
            )
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError
    ) as error:  # fmt: skip
        raise UserError(
            f"Cannot read the annotations in {source}: {type(error).__name__} {error}. Export them "
            "again."
        ) from None


def _annotated(name: str, width: Any, height: Any, shapes: Sequence[Shape | str]) -> Annotated:
    """Checks what all formats share; a shape that covers no pixels is given as its kind."""
    path = PurePosixPath(name.replace("\\", "/"))
    if ".." in path.parts or not path.name:
        raise ValueError(f"the image name '{name}' leads out of the folder")
    stem = (PurePosixPath(path.name) if path.is_absolute() else path).with_suffix("").as_posix()
    if int(width) < 1 or int(height) < 1:
        raise ValueError(f"the image '{name}' is {width} x {height} pixels")
    kept = [shape for shape in shapes if isinstance(shape, Shape)]
    unnamed = [shape for shape in kept if not shape.name]
    if unnamed:
        raise ValueError(f"a shape of '{name}' has no label")
    return Annotated(stem, int(width), int(height), kept, [s for s in shapes if isinstance(s, str)])


def _outline(name: str, points: np.ndarray, kind: str) -> Shape | str:
    """A polygon; its kind alone, if it has fewer than three corners."""
    return Shape(name, points) if len(points) >= 3 else f"empty {kind}"


def _labelme(name: str, content: dict[str, Any]) -> Annotated:
    shapes = [_labelme_shape(shape) for shape in content["shapes"]]
    return _annotated(name, content["imageWidth"], content["imageHeight"], shapes)


def _labelme_shape(shape: dict[str, Any]) -> Shape | str:
    points = np.array(shape["points"], float).reshape(-1, 2)
    name, kind = str(shape["label"]), shape.get("shape_type", "polygon")
    if kind in ("rectangle", "circle", "mask") and len(points) != 2:
        return f"empty {kind}"
    if kind == "rectangle":
        return Shape(name, _box(*points[0], *points[1]))
    if kind == "circle":
        radius = float(np.linalg.norm(points[1] - points[0]))
        return Shape(name, _ellipse(points[0], radius, radius))
    if kind == "mask":
        with Image.open(BytesIO(base64.b64decode(shape["mask"]))) as picture:
            pixels = np.asarray(picture.convert("L")) > 0
        left, top = np.maximum(np.rint(points.min(axis=0)), 0).astype(int)
        return Shape(name, np.empty((0, 2)), pixels, (int(left), int(top)))
    return _outline(name, points, kind) if kind == "polygon" else str(kind)


def _box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _ellipse(center: np.ndarray, width: float, height: float) -> np.ndarray:
    """An outline, from the two half-axes."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return center + np.stack([width * np.cos(angles), height * np.sin(angles)], axis=1)


def _turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points turned about their middle, clockwise on the screen."""
    angle, middle = np.deg2rad(degrees), points.mean(axis=0)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    turned: np.ndarray = (points - middle) @ turn.T + middle
    return turned


def _coco(content: dict[str, Any]) -> Iterator[Annotated]:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    shapes: dict[Any, list[Shape | str]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        segmentation = one.get("segmentation")
        mine = shapes[one["image_id"]]
        if not segmentation:
            mine.append("box without an outline")
            continue
        if not isinstance(segmentation, list):
            raise ValueError("run lengths (RLE); export polygons")
        for ring in segmentation:  # parts of one object add up
            points = np.array(ring, float).reshape(-1, 2)
            mine.append(_outline(names[one["category_id"]], points, "polygon"))
    for image in content["images"]:
        yield _annotated(image["file_name"], image["width"], image["height"], shapes[image["id"]])


def _cvat(root: ElementTree.Element) -> Iterator[Annotated]:
    if root.tag != "annotations":
        raise ValueError("no <annotations>: export as 'CVAT for images'")
    for image in root.findall("image"):
        shapes = [_cvat_shape(shape) for shape in image if shape.tag != "tag"]
        yield _annotated(
            image.get("name", ""), image.get("width", 0), image.get("height", 0), shapes
        )


def _cvat_shape(shape: ElementTree.Element) -> Shape | str:
    def number(*keys: str) -> list[float]:
        return [float(shape.get(key, "")) for key in keys]

    name, rotation = shape.get("label", ""), float(shape.get("rotation", 0))
    if shape.tag == "polygon":
        pairs = [pair.split(",") for pair in shape.get("points", "").split(";") if pair]
        return _outline(name, np.array(pairs, float).reshape(-1, 2), "polygon")
    if shape.tag == "box":
        return Shape(name, _turned(_box(*number("xtl", "ytl", "xbr", "ybr")), rotation))
    if shape.tag == "ellipse":
        x, y, width, height = number("cx", "cy", "rx", "ry")
        return Shape(name, _turned(_ellipse(np.array([x, y]), width, height), rotation))
    if shape.tag == "mask":
        left, top, width, height = (int(n) for n in number("left", "top", "width", "height"))
        runs = [int(run) for run in shape.get("rle", "").split(",")]
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return Shape(name, np.empty((0, 2)), flat.reshape(height, width), (left, top))
    return shape.tag
