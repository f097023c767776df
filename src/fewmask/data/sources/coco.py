"""COCO as 81 semantic classes: background and 80 things, 118,287 training images.

Layout (2014 has the same, with `train2014` and `val2014`):

    train2017/000000177254.jpg, val2017/000000000139.jpg
    masks/000000177254.png                       made by `fewmask prepare coco`, or a ready copy
    annotations/instances_{train,val}2017.json   what they are made from
    annotations/image_labels.csv                 made: the classes of each image's instances

Things become classes like this. Categories are numbered 1..80 in the order of their COCO ids.
Instances are drawn from the largest to the smallest, so that a cup stays visible on its table.
Crowd regions get the class of their things, but are drawn first, below all single instances.

Source: Lin et al., Microsoft COCO, ECCV 2014.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from fewmask.atomic import parse_json, read_text
from fewmask.data.classes import Classes
from fewmask.data.convert import convert_all, save_mask
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.sources.kept_classes import write_rows
from fewmask.data.sources.published_dataset import (
    Archive,
    PublishedDataset,
    Split,
    first_folder,
    names_in,
)
from fewmask.errors import UserError

NAMES = (
    "background, person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic "
    "light, fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, "
    "elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, "
    "snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis "
    "racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, "
    "orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, "
    "dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, "
    "toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, "
    "toothbrush"
).split(", ")

YEARS = ("2017", "2014")
URL = "http://images.cocodataset.org"


class COCO(PublishedDataset):
    """COCO 2017 or 2014, things only."""

    KEY = "coco"
    CLASSES = Classes(NAMES)
    TRAIN_IMAGES, VAL_IMAGES = 118287, 5000
    HOME = "COCO 2017 (train2017.zip, val2017.zip, annotations_trainval2017.zip, cocodataset.org)"
    ARCHIVES = (
        Archive(f"{URL}/zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2"),
        Archive(f"{URL}/zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80"),
        Archive(
            f"{URL}/annotations/annotations_trainval2017.zip", "f4bbac642086de4f52a3fdda2de5fa2c"
        ),
    )

    def files(self, split: Split) -> Files:
        """All training or validation images."""
        root = self.config.root
        folder = root / f"{split}{_year(root)}"
        names = self.list_folder(folder, ".jpg")
        table = LabelTable(81, advice="COCO masks hold 0..80. Make them with fewmask prepare coco.")
        return Files(
            Paths(folder, names, ".jpg"), Paths(root / "masks", names, ".png"), names, table
        )

    @classmethod
    def convert(cls, root: Path) -> None:
        """Draws the instances of the annotation files as masks, and lists their classes."""
        year = _year(root)
        rows = []
        for split in ("train", "val"):
            file = root / "annotations" / f"instances_{split}{year}.json"
            masks = {Path(name).stem for name in names_in(root / "masks")}
            images = {Path(n).stem for n in names_in(root / f"{split}{year}") if n.endswith(".jpg")}
            if file.is_file():
                jobs = _jobs(file, root / "masks")
                rows += [(mask.stem, _classes(instances)) for mask, _, _, instances in jobs]
                left = [job for job in jobs if job[0].stem not in masks]
                convert_all(_draw_mask, left, f"COCO {split} masks")
            elif not images <= masks:
                raise UserError(
                    f"There is no {file} to make the missing masks of {split} images from. It is "
                    f"part of {cls.HOME} and belongs exactly there."
                )
        if rows:
            write_rows(rows, cls.image_labels(root))

    @classmethod
    def image_labels(cls, root: Path) -> Path:
        """The file with the classes of each image."""
        return root / "annotations" / "image_labels.csv"

    def missing(self, file: Path, what: str) -> str:
        """The message about a missing file. Masks are drawn from the annotations."""
        if file.parent.name != "masks":
            return super().missing(file, what)
        return (
            f"The mask {file} is missing. It is drawn from annotations/instances_*.json. Run: "
            f"fewmask prepare coco --root {self.config.root}"
        )


def _year(root: Path) -> str:
    for year in YEARS:
        if first_folder([root], f"train{year}"):
            return year
    raise UserError(
        f"There is no train2017 (or train2014) in {root}. data.root (or --root) is the folder of "
        f"{COCO.HOME}."
    )


Job = tuple[Path, int, int, list[tuple[int, Any]]]
"""The mask file to write, its height and width, and (label, outline) from bottom to top."""


def _jobs(file: Path, masks: Path) -> list[Job]:
    """One job for each image of an annotation file."""
    try:
        content = parse_json(read_text(file))
        categories = sorted(content["categories"], key=lambda category: int(category["id"]))
        # Labels follow from the order, so another list of things would mix up all classes.
        if [category["name"] for category in categories] != NAMES[1:]:
            raise ValueError("its categories are not COCO's 80 things")
        labels = {category["id"]: label for label, category in enumerate(categories, 1)}
        instances = defaultdict(list)
        for one in content["annotations"]:
            instances[one["image_id"]].append(one)
        return [
            (
                masks / Path(image["file_name"]).with_suffix(".png").name,
                image["height"],
                image["width"],
                _bottom_to_top(instances[image["id"]], labels),
            )
            for image in content["images"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is not COCO's instances JSON ({type(error).__name__}: {error}). Take it from "
            f"{COCO.HOME}."
        ) from None


def _classes(instances: list[tuple[int, Any]]) -> list[str]:
    return [NAMES[label] for label in sorted({label for label, _ in instances})]


def _bottom_to_top(
    instances: list[dict[str, Any]], labels: dict[int, int]
) -> list[tuple[int, Any]]:
    """Label and outline of the instances of an image: crowds first, then large before small."""
    order = sorted(instances, key=lambda one: (not one["iscrowd"], -one["area"]))
    return [(labels[one["category_id"]], one["segmentation"]) for one in order]


def _draw_mask(job: Job) -> None:
    out, height, width, instances = job
    labels = np.zeros((height, width), np.uint8)
    for label, outline in instances:
        try:
            labels[_inside(outline, height, width)] = label
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise UserError(
                f"The annotations of image {out.stem} hold an outline of '{NAMES[label]}' that "
                f"cannot be drawn ({error}). Take the annotations from {COCO.HOME} again."
            ) from None
    save_mask(labels, out)


def _inside(outline: Any, height: int, width: int) -> np.ndarray:
    """The pixels of one instance, bool [H, W], from polygons or run lengths."""
    try:
        from pycocotools import mask as coco_mask
    except ImportError:
        raise UserError("COCO's outlines need: pip install 'fewmask[prepare]'") from None
    # Outlines are checked first: pycocotools ends the whole process for some malformed ones.
    if isinstance(outline, list):
        if not all(isinstance(v, (int, float)) for polygon in outline for v in polygon):
            raise ValueError("a coordinate is not a number")
        polygons = [polygon for polygon in outline if len(polygon) >= 6]
        if not polygons:  # fewer than three corners have no inside
            return np.zeros((height, width), bool)
        encoded = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    else:
        _require_fitting(outline, height, width)
        is_plain = isinstance(outline["counts"], list)  # and not compressed into a text
        encoded = coco_mask.frPyObjects(outline, height, width) if is_plain else outline
    return np.asarray(coco_mask.decode(encoded) == 1)


def _require_fitting(runs: dict[str, Any], height: int, width: int) -> None:
    if list(runs["size"]) != [height, width]:
        raise ValueError(f"run lengths for {runs['size']}, but the image is {[height, width]}")
    if isinstance(runs["counts"], list) and sum(runs["counts"]) != height * width:
        raise ValueError("the run lengths do not add up to the image")
