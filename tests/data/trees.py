"""Tiny trees in exactly the formats of the published data sets, made on the spot."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.io import savemat

from fewmask.config import find, validate
from fewmask.data import SOURCES
from fewmask.data.sources.coco import NAMES as COCO_NAMES
from fewmask.data.sources.voc import voc_colors
from fewmask.tasks.prepare import prepare

HEIGHT, WIDTH = 40, 56


def picture(file: Path, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def gray(file: Path, labels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(file)


def blocks(*values: int) -> np.ndarray:
    """A mask whose columns hold these values, in bands of equal width."""
    columns = np.array(values)[np.arange(WIDTH) * len(values) // WIDTH]
    return np.tile(columns, (HEIGHT, 1)).astype(np.uint8)


def write_list(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def voc(root: Path) -> Path:
    """VOC as its archive unpacks (palette PNGs, 255 borders), with SBD's .mat files beside it.

    Training: 3 images of VOC, of which SBD has one too, and 4 of SBD alone; validation: 2, of which
    SBD has one too.
    """
    home = root / "VOCdevkit" / "VOC2012"
    train, val = [f"2007_00000{i}" for i in range(3)], ["2008_000001", "2008_000002"]
    sbd = ["2009_000001", "2009_000002", "2010_000001", "2010_000002"]
    for i, name in enumerate([*train, *val, *sbd]):
        picture(home / "JPEGImages" / f"{name}.jpg", i)
    for name in [*train, *val]:
        mask = Image.fromarray(blocks(0, 255, 15, 20))
        mask.putpalette([value for color in voc_colors(256) for value in color])
        (home / "SegmentationClass").mkdir(exist_ok=True)
        mask.save(home / "SegmentationClass" / f"{name}.png")
    write_list(home / "ImageSets" / "Segmentation" / "train.txt", train)
    write_list(home / "ImageSets" / "Segmentation" / "val.txt", val)
    classes = root / "benchmark_RELEASE" / "dataset" / "cls"
    classes.mkdir(parents=True)
    for name in [*sbd, train[0], val[0]]:
        content = {"Segmentation": blocks(0, 3, 7), "Boundaries": np.zeros((20, 1))}
        savemat(classes / f"{name}.mat", {"GTcls": content})
    write_list(classes.parent / "train.txt", [*sbd, train[0]])
    write_list(classes.parent / "val.txt", [val[0]])
    write_list(root / "splits" / "labeled_3.txt", [*train[:2], sbd[0]])
    return root


def cityscapes(root: Path, train_ids: bool = False) -> Path:
    """Cityscapes with raw ids (0..33), or with train ids beside them."""
    for part, cities in (("train", {"ulm": 3, "bad-homburg": 2}), ("val", {"lindau": 2})):
        for city, count in cities.items():
            for i in range(count):
                name = f"{city}/{city}_00000{i}_000019"
                picture(root / "leftImg8bit" / part / f"{name}_leftImg8bit.png", i)
                masks = root / "gtFine" / part
                gray(masks / f"{name}_gtFine_labelIds.png", blocks(1, 7, 11, 26, 33, 5))
                if train_ids:
                    gray(masks / f"{name}_gtFine_labelTrainIds.png", blocks(255, 0, 2, 13, 18, 255))
    lines = [f"leftImg8bit/train/ulm/ulm_00000{i}_000019_leftImg8bit.png" for i in range(2)]
    write_list(root / "splits" / "labeled_2.txt", lines)
    return root


def coco(root: Path, year: str = "2017") -> Path:
    """COCO images and instances JSON: polygons, one thing on another, a crowd."""
    prefix = "" if year == "2017" else "COCO_{part}2014_"
    gaps = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    ids = [i for i in range(1, 91) if i not in gaps]
    categories = [{"id": i, "name": n} for i, n in zip(ids, COCO_NAMES[1:], strict=True)]
    for part, count in (("train", 5), ("val", 2)):
        images, annotations = [], []
        for i in range(count):
            number = i + (1 if part == "train" else 101)
            name = f"{prefix.format(part=part)}{number:012d}.jpg"
            picture(root / f"{part}{year}" / name, i)
            images.append({"id": i + 1, "file_name": name, "height": HEIGHT, "width": WIDTH})
            crowd = coco_mask.encode(np.asfortranarray(blocks(0, 0, 0, 1)))
            counts = _uncompressed(coco_mask.decode(crowd))
            for category, outline, area, is_crowd in (
                (90, [[10, 10, 20, 10, 20, 20, 10, 20]], 100, 0),  # small, on top of the next
                (3, [[0, 0, 30, 0, 30, 30, 0, 30]], 900, 0),
                (1, {"counts": counts, "size": [HEIGHT, WIDTH]}, 560, 1),
            ):
                annotations.append(
                    {
                        "image_id": i + 1,
                        "category_id": category,
                        "segmentation": outline,
                        "area": area,
                        "iscrowd": is_crowd,
                    }
                )
        file = root / "annotations" / f"instances_{part}{year}.json"
        file.parent.mkdir(exist_ok=True)
        content = {"images": images, "annotations": annotations, "categories": categories}
        file.write_text(json.dumps(content))
    write_list(root / "splits" / "labeled_2.txt", [f"train2017/{i:012d}" for i in (2, 4)])
    return root


def _uncompressed(mask: np.ndarray) -> list[int]:
    """COCO's run lengths: column by column, starting with the zeros."""
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs: list[int] = np.diff([0, *edges, len(flat)]).tolist()
    return [0, *runs] if flat[0] else runs


def ade20k(root: Path) -> Path:
    """ADE20K as its archive unpacks: 0 is other."""
    home = root / "ADEChallengeData2016"
    for part, prefix, count in (("training", "train", 4), ("validation", "val", 2)):
        for i in range(count):
            name = f"ADE_{prefix}_{i + 1:08d}"
            picture(home / "images" / part / f"{name}.jpg", i)
            gray(home / "annotations" / part / f"{name}.png", blocks(0, 1, 75, 150))
    write_list(root / "splits" / "labeled_2.txt", ["ADE_train_00000001", "ADE_train_00000003"])
    return root


def camvid(root: Path) -> Path:
    """CamVid in SegNet's version."""
    for part, count in (("train", 4), ("val", 2)):
        for i in range(count):
            picture(root / part / "images" / f"{part}_{i}.jpg", i)
            gray(root / part / "masks" / f"{part}_{i}.png", blocks(*range(12)))
    write_list(root / "splits" / "labeled_2.txt", ["train_2", "train_0"])
    return root


SIZES = {  # labeled list, labeled, unlabeled, val, classes
    "voc": (3, 3, 4, 2, 21),
    "cityscapes": (2, 2, 3, 2, 19),
    "coco": (2, 2, 3, 2, 81),
    "ade20k": (2, 2, 2, 2, 150),
    "camvid": (2, 2, 2, 2, 11),
}
NEEDS_PREPARATION = ("voc", "coco")


def quiet(text):
    pass


def tree(name, root):
    globals()[name](root)
    if name in NEEDS_PREPARATION:
        prepare(name, root, False, quiet)
    return root


def opened(name, root, **options):
    source = find(name, SOURCES, "data")
    return source(validate(source.Config, {"name": name, "root": root, **options}, "data")).open()
