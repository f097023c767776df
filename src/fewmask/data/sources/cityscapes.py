"""Cityscapes, street scenes at 2048 x 1024: 2,975 finely annotated training images, 19 classes.

Layout, as the archives unpack:

    leftImg8bit/train/ulm/ulm_000079_000019_leftImg8bit.png
    gtFine/train/ulm/ulm_000079_000019_gtFine_labelIds.png        raw ids, converted while reading
    gtFine/train/ulm/ulm_000079_000019_gtFine_labelTrainIds.png   train ids, used if they are there

Source: Cordts et al., The Cityscapes Dataset, CVPR 2016.
"""

from pathlib import Path

from fewmask.data.classes import Classes
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.sources.published_dataset import PublishedDataset, Split, names_in
from fewmask.errors import UserError

CLASSES = {  # name: (raw id, color), in the order of train ids
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
RAW_IDS = 34
IMAGE = "_leftImg8bit.png"
RAW_MASK, TRAIN_MASK = "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"

TRAIN_TABLE = LabelTable(
    len(CLASSES),
    advice=f"If the file holds raw ids (0..33), it must be named *{RAW_MASK}.",
)
_train_id = {raw: i for i, (raw, _) in enumerate(CLASSES.values())}
RAW_TABLE = LabelTable(
    len(CLASSES),
    mapping={raw: _train_id.get(raw, 255) for raw in range(RAW_IDS)},
    ignore=(),
    advice=f"Raw ids are 0..33. If the file holds train ids (0..18, 255), name it *{TRAIN_MASK}.",
)

TRAIN_CLASSES = Classes([*CLASSES], [color for _, color in CLASSES.values()])
RAW_CLASSES = Classes(
    TRAIN_CLASSES.names,
    [color for _, color in CLASSES.values()],
    values=[raw for raw, _ in CLASSES.values()],
    no_label=0,
    no_label_color=(0, 0, 0),
)


class Cityscapes(PublishedDataset):
    """Cityscapes, fine annotations."""

    KEY = "cityscapes"
    CLASSES = TRAIN_CLASSES
    TRAIN_IMAGES, VAL_IMAGES = 2975, 500
    HOME = (
        "Cityscapes (leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, "
        "www.cityscapes-dataset.com, free account)"
    )

    def classes(self, val: Files) -> Classes:
        """The classes with raw or train ids, so that predictions use the ids of the masks."""
        return RAW_CLASSES if val.labels is RAW_TABLE else TRAIN_CLASSES

    def missing(self, file: Path, what: str) -> str:
        """The message about a missing file. No archive has train ids."""
        if not file.name.endswith(TRAIN_MASK):
            return super().missing(file, what)
        return (
            f"The mask {file} is missing, but other cities have train ids. Make them for all "
            f"cities, or remove them all: raw ids (*{RAW_MASK}) are converted while reading."
        )

    def files(self, split: Split) -> Files:
        """All training or validation images."""
        root = self.config.root
        images, masks = root / "leftImg8bit" / split, root / "gtFine" / split
        cities = [city for city in sorted(names_in(images)) if (images / city).is_dir()]
        if not cities:
            raise UserError(
                f"There are no cities in {images}. data.root={self.config.root} must hold "
                f"leftImg8bit/ and gtFine/ of {self.HOME}."
            )
        names = [f"{city}/{n}" for city in cities for n in self.list_folder(images / city, IMAGE)]
        # Every copy has raw ids. Train ids exist if someone made them, and then for all cities.
        first = masks / f"{names[0]}{TRAIN_MASK}"
        suffix, table = (TRAIN_MASK, TRAIN_TABLE) if first.is_file() else (RAW_MASK, RAW_TABLE)
        return Files(Paths(images, names, IMAGE), Paths(masks, names, suffix), names, table)
