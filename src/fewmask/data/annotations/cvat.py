"""CVAT: one XML file, exported as "CVAT for images"."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

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
)
from fewmask.data.annotations.objects import Labeled, objects, pixels_of, runs_of
from fewmask.data.annotations.source import Source
from fewmask.data.own_files import OwnFiles


def read(source: Source) -> Export | None:
    """The annotations of a file, image by image; None for another format."""
    if source.path.is_dir() or source.path.suffix.lower() != ".xml":
        return None
    if not source.path.is_file():
        raise ValueError("it is not a file")
    root = ElementTree.parse(source.path).getroot()
    if root.tag != "annotations":
        raise ValueError("no <annotations>: export as 'CVAT for images'")
    if root.find("track") is not None:
        raise ValueError("this is 'CVAT for video': export as 'CVAT for images'")
    declared = root.findall("./meta//labels/label/name")
    return Export(_annotations(root), [label.text or "" for label in declared])


def _annotations(root: ElementTree.Element) -> Iterator[Annotation]:
    for image in root.findall("image"):
        # What lies on a higher layer covers what lies below, wherever it stands in the file.
        layers = sorted(image, key=lambda shape: int(shape.get("z_order", 0)))
        shapes = [_shape(shape) for shape in layers if shape.tag != "tag"]
        yield annotation(
            image.get("name", ""), image.get("width", 0), image.get("height", 0), shapes
        )


def _shape(shape: ElementTree.Element) -> Shape | str:
    def numbers(*keys: str) -> list[float]:
        return [float(shape.get(key, "")) for key in keys]

    name, rotation = shape.get("label", ""), float(shape.get("rotation", 0))
    if shape.tag == "polygon":
        pairs = [pair.split(",") for pair in shape.get("points", "").split(";") if pair]
        return polygon(name, np.array(pairs, float).reshape(-1, 2))
    if shape.tag == "box":
        return Shape(name, rotate(box(*numbers("xtl", "ytl", "xbr", "ybr")), rotation))
    if shape.tag == "ellipse":
        x, y, width, height = numbers("cx", "cy", "rx", "ry")
        return Shape(name, rotate(ellipse(np.array([x, y]), width, height), rotation))
    if shape.tag == "mask":
        left, top, width, height = (int(n) for n in numbers("left", "top", "width", "height"))
        runs = [int(run) for run in shape.get("rle", "").split(",")]
        return pixel_shape(name, pixels_of(runs, (width, height)), (left, top))
    return shape.tag


def write(photos: Iterable[Labeled], names: Mapping[int, str], file: Path, own: OwnFiles) -> None:
    """Writes one `<mask>` for each object."""
    meta = ElementTree.Element("meta")
    labels = ElementTree.SubElement(ElementTree.SubElement(meta, "task"), "labels")
    for name in names.values():
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
    with own.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        out.write(f"<version>1.1</version>\n{_text(meta)}")
        for number, photo in enumerate(photos):
            height, width = photo.labels.shape
            facts = {"id": number, "name": photo.name, "width": width, "height": height}
            image = _element("image", facts)
            image.extend(_mask(shape) for shape in objects(photo.labels, names))
            out.write(_text(image))
        out.write("</annotations>\n")


def _mask(shape: Shape) -> ElementTree.Element:
    assert shape.pixels is not None
    (left, top), (height, width) = shape.corner, shape.pixels.shape
    runs = runs_of(shape.pixels, (0, 0), (width, height))
    facts = {"label": shape.name, "source": "auto", "occluded": 0, "z_order": 0}
    place = {"left": left, "top": top, "width": width, "height": height}
    return _element("mask", {**facts, "rle": ", ".join(map(str, runs)), **place})


def _element(tag: str, facts: Mapping[str, object]) -> ElementTree.Element:
    return ElementTree.Element(tag, {key: str(value) for key, value in facts.items()})


def _text(element: ElementTree.Element) -> str:
    ElementTree.indent(element)
    return ElementTree.tostring(element, encoding="unicode") + "\n"
