"""Masks from what labeling tools export: LabelMe JSON, COCO JSON, CVAT XML.

Outlines are drawn in the order of the file, later ones over earlier ones. Pixels outside all
outlines are class 0, which is called background.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np

from fewmask.data.convert import save_mask
from fewmask.errors import UserError

BACKGROUND = "background"


class Outline(NamedTuple):
    """One object."""

    name: str
    rings: list[np.ndarray]
    """Each [N, 2], x and y in pixels; holes are rings inside rings."""


class Annotated(NamedTuple):
    """What one image is annotated with."""

    stem: str
    width: int
    height: int
    outlines: list[Outline]


def import_masks(
    source: Path, out: Path, names: Sequence[str] = ()
) -> tuple[list[str], dict[str, int]]:
    """Draws masks from an export.

    Args:
        source: a COCO JSON, a CVAT XML, or a folder of LabelMe JSON files.
        out: the folder of the masks, one PNG per annotated image.
        names: of the classes behind the background, in order; by default as they come, sorted.

    Returns:
        The names of all classes, background first, and for each image stem its objects drawn.

    Raises:
        UserError: if the source is none of these, damaged, or names a class that `names` lacks.
    """
    annotated = list(read_annotations(source))
    if not annotated:
        raise UserError(f"{source} annotates no image.")
    found = sorted({outline.name for one in annotated for outline in one.outlines} - {BACKGROUND})
    classes = [BACKGROUND, *(names or found)]
    foreign = [name for name in found if name not in classes]
    if foreign:
        raise UserError(
            f"{source} has objects called '{foreign[0]}', which --names leaves out. Names there: "
            f"{', '.join(found)}."
        )
    if len(classes) > 255:
        raise UserError(f"{source} has {len(classes)} classes; a mask can hold 255.")
    drawn = {}
    for one in annotated:
        if one.stem in drawn:
            raise UserError(f"{source} annotates two images called '{one.stem}'.")
        save_mask(draw(one, classes), out / f"{one.stem}.png")
        drawn[one.stem] = len(one.outlines)
    return classes, drawn


def draw(one: Annotated, classes: Sequence[str]) -> np.ndarray:
    """The labels of one image, uint8 [H, W]."""
    labels = np.zeros((one.height, one.width), np.uint8)
    for outline in one.outlines:
        rings = [np.rint(ring).astype(np.int32) for ring in outline.rings]
        cv2.fillPoly(labels, rings, classes.index(outline.name))
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
            for source in files:
                yield _labelme(source.stem, json.loads(source.read_text("utf-8-sig")))
        elif source.suffix.lower() == ".xml":
            yield from _cvat(ElementTree.parse(source).getroot())
        elif source.suffix.lower() == ".json":
            content = json.loads(source.read_text("utf-8-sig"))
            yield from (
                _coco(content) if "annotations" in content else [_labelme(source.stem, content)]
            )
        else:
            raise UserError(
                f"{source}: expected a COCO .json, a CVAT .xml, or a folder of LabelMe .json files."
            )
    except (OSError, ValueError, KeyError, TypeError, ElementTree.ParseError) as error:
        raise UserError(
            f"Cannot read the annotations in {source}: {type(error).__name__} {error}. Export them "
            "again."
        ) from None


def _labelme(stem: str, content: dict[str, Any]) -> Annotated:
    outlines = []
    for shape in content["shapes"]:
        points = np.array(shape["points"], float).reshape(-1, 2)
        kind = shape.get("shape_type", "polygon")
        if kind == "rectangle":
            (x0, y0), (x1, y1) = points
            points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        elif kind == "circle":
            points = _circle(points[0], float(np.linalg.norm(points[1] - points[0])))
        elif kind != "polygon":
            continue  # points and lines cover no pixels
        outlines.append(Outline(str(shape["label"]), [points]))
    return Annotated(stem, int(content["imageWidth"]), int(content["imageHeight"]), outlines)


def _circle(centre: np.ndarray, radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _coco(content: dict[str, Any]) -> Iterator[Annotated]:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    outlines: dict[Any, list[Outline]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        segmentation = one["segmentation"]
        if not isinstance(segmentation, list):
            raise ValueError("run lengths (RLE); export polygons")
        rings = [np.array(ring, float).reshape(-1, 2) for ring in segmentation if len(ring) >= 6]
        if rings:
            outlines[one["image_id"]].append(Outline(names[one["category_id"]], rings))
    for image in content["images"]:
        stem = Path(image["file_name"]).with_suffix("").as_posix()
        yield Annotated(stem, int(image["width"]), int(image["height"]), outlines[image["id"]])


def _cvat(root: ElementTree.Element) -> Iterator[Annotated]:
    images = root.findall("image")
    if root.tag != "annotations":
        raise ValueError("no <annotations>: export as 'CVAT for images'")
    for image in images:
        outlines = []
        for shape in image:
            name = shape.get("label", "")
            if shape.tag == "polygon":
                points = [p.split(",") for p in shape.get("points", "").split(";")]
                outlines.append(Outline(name, [np.array(points, float)]))
            elif shape.tag == "box":
                x0, y0, x1, y1 = (float(shape.get(k, "")) for k in ("xtl", "ytl", "xbr", "ybr"))
                corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
                outlines.append(Outline(name, [np.array(corners)]))
        stem = Path(image.get("name", "")).with_suffix("").as_posix()
        yield Annotated(stem, int(image.get("width", "")), int(image.get("height", "")), outlines)
