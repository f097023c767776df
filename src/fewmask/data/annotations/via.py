"""VIA (VGG Image Annotator): one JSON file, a project or exported annotations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fewmask.data.annotations.annotation import (
    Annotation,
    Export,
    Shape,
    annotation,
    box,
    ellipse,
    polygon,
    rotate,
    stem_of,
)
from fewmask.data.annotations.source import Source
from fewmask.data.annotations.via3 import as_version_2, is_version_3
from fewmask.errors import listed

Json = dict[str, Any]
IMAGE = {"filename", "regions"}
DRAWN = ("polygon", "rect", "circle", "ellipse")


def read(source: Source) -> Export | None:
    """The annotations of a file, image by image; None for another format."""
    content = source.json
    if not isinstance(content, dict):
        return None
    if is_version_3(content):
        content = as_version_2(content)
    images = [*content.get("_via_img_metadata", content).values()]
    if not content or not all(isinstance(one, dict) and one.keys() >= IMAGE for one in images):
        return None
    regions = [_regions(image) for image in images]
    key = _attribute([one for several in regions for one in several], source.attribute)
    declared = content.get("_via_attributes", {}).get("region", {}).get(key, {}).get("options")
    return Export(
        [_annotation(*pair, key, source) for pair in zip(images, regions, strict=True)],
        [*map(str, declared)] if isinstance(declared, dict) else (),
    )


def _regions(image: Json) -> list[Json]:
    regions = image["regions"] or []
    return [*regions.values()] if isinstance(regions, dict) else regions  # version 1 numbers them


def _attribute(regions: Sequence[Json], wanted: str) -> str:
    """The attribute that names the class: the wanted one, else the only one that all regions have.

    Raises:
        ValueError: if it cannot be told.
    """
    drawn = [one for one in regions if one["shape_attributes"]["name"] in DRAWN]
    values: dict[str, list[str]] = {}
    for one in drawn:
        for key, value in one["region_attributes"].items():
            if names := _names(value):
                values.setdefault(key, []).append(" + ".join(names))
    everywhere = [key for key, found in values.items() if len(found) == len(drawn)]
    # An attribute without company names the class even if it was forgotten here and there.
    possible = [wanted] if wanted in values else [] if wanted else everywhere or [*values]
    if len(possible) == 1 or not drawn:
        return "".join(possible)
    if not values:
        raise ValueError("no region has an attribute that names its class. Add one in VIA")
    known = [f"{key} ({listed(dict.fromkeys(found), 3)})" for key, found in values.items()]
    raise ValueError(
        f"which attribute of the regions names the class? Give --attribute {[*values][0]}, or "
        f"another of these: {listed(known, 6)}"
    )


def _names(value: Any) -> list[str]:
    """The values of an attribute: several boxes can be ticked, others have one value or none."""
    if isinstance(value, dict):
        return [str(name) for name, is_ticked in value.items() if is_ticked]
    return [str(value)] if value is not None and str(value).strip() else []


def _annotation(image: Json, regions: Sequence[Json], key: str, source: Source) -> Annotation:
    name = str(image["filename"])
    size = source.photos.size(stem_of(name)) if regions else (0, 0)
    try:
        shapes = [_shape(region, key) for region in regions]
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None
    return annotation(name, *size, shapes)


def _shape(region: Json, key: str) -> Shape | str:
    shape: Mapping[str, Any] = region["shape_attributes"]

    def numbers(*keys: str) -> list[float]:
        return [float(shape[key]) for key in keys]

    kind = shape["name"]
    if kind not in DRAWN:
        return str(kind)
    names = _names(region["region_attributes"].get(key))
    if len(names) > 1:
        raise ValueError(
            f"a region has {key}: {', '.join(names)}, but a pixel can have only one class"
        )
    name = "".join(names)
    if kind == "polygon":
        pairs = [*zip(shape["all_points_x"], shape["all_points_y"], strict=True)]
        return polygon(name, np.array(pairs, float).reshape(-1, 2))
    if kind == "rect":
        x, y, width, height = numbers("x", "y", "width", "height")
        return Shape(name, box(x, y, x + width, y + height))
    center = np.array(numbers("cx", "cy"))
    width, height = numbers("r", "r") if kind == "circle" else numbers("rx", "ry")
    turned = math.degrees(float(shape.get("theta") or 0))
    return Shape(name, rotate(ellipse(center, width, height), turned))
