"""PASCAL VOC 2012 with the masks of SBD: 10,582 training images, 21 classes or some of them.

Layout, below `VOCdevkit/VOC2012` or in the folder itself:

    JPEGImages/2007_000032.jpg
    SegmentationClass/2007_000032.png          VOC's own masks: palette PNGs, borders are 255
    SegmentationClassAug/2007_000032.png       VOC's masks, and SBD's masks for the other images
    ImageSets/Segmentation/{train,val}.txt     1,464 and 1,449 ids
    ImageSets/Segmentation/train_aug.txt       10,582 ids
    ImageSets/Segmentation/image_labels.csv    the classes that the mask of each image shows, and
                                               for images without one those of its objects
    Annotations/2007_000032.xml                the objects

`fewmask prepare voc` makes SegmentationClassAug, train_aug.txt and image_labels.csv, from SBD's
`benchmark_RELEASE`, too.

Source: Everingham et al., IJCV 2015; Hariharan et al., ICCV 2011.
"""

from pathlib import Path
from typing import NamedTuple

from pydantic import field_validator

from fewmask import atomic
from fewmask.data.classes import Classes
from fewmask.data.convert import convert_all, save_mask
from fewmask.data.files import Files, Paths
from fewmask.data.label_table import LabelTable
from fewmask.data.lists.reading import image_id, read_lines
from fewmask.data.masks import read_mask
from fewmask.data.source import Data
from fewmask.data.sources.kept_classes import keep_classes, require_known, write_image_labels
from fewmask.data.sources.published_dataset import Archive, PublishedDataset, Split, first_folder
from fewmask.data.sources.sbd import SBD_HOME, find_sbd, read_sbd, sbd_ids, stems
from fewmask.data.sources.voc_objects import object_classes
from fewmask.errors import UserError

NAMES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()


def voc_colors(count: int) -> list[tuple[int, int, int]]:
    """The palette of VOC, which spreads the bits of a label over red, green and blue."""
    colors = []
    for label in range(count):
        rgb, rest = [0, 0, 0], label
        for shift in range(7, -1, -1):
            for channel in range(3):
                rgb[channel] |= ((rest >> channel) & 1) << shift
            rest >>= 3
        colors.append((rgb[0], rgb[1], rgb[2]))
    return colors


class VOC(PublishedDataset):
    """PASCAL VOC 2012, augmented by SBD."""

    KEY = "voc"
    CLASSES = Classes(NAMES, voc_colors(21))
    TRAIN_IMAGES, VAL_IMAGES = 10582, 1449
    OWN_TRAIN_IMAGES = 1464
    """How many training images have VOC's own masks."""
    HOME = "PASCAL VOC 2012 (VOCtrainval_11-May-2012.tar, host.robots.ox.ac.uk)"
    ARCHIVES = (
        Archive(
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "6cd6e144f989b92b3379bac3b3de84fd",
        ),
        Archive(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
            "semantic_contours/benchmark.tgz",
            "82b4d87ceb2ed10f6038a1cba92111cb",
        ),
    )

    class Config(PublishedDataset.Config):
        """Where VOC lies, and which of its images and classes are used."""

        classes: tuple[str, ...] | None = None
        """The classes to keep, in this order, such as [background, cat, dog]. Pixels of other
        classes have no label, and images that show no kept class besides the background are left
        out. null keeps all 21."""

        @field_validator("classes")
        @classmethod
        def _known(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
            if classes is not None:
                require_known(classes, NAMES)
            return classes

    config: Config

    def open(self) -> Data:
        """Lists the three sets, with the classes and images that `classes` keeps."""
        data = super().open()
        if self.config.classes is None:
            return data
        file = Layout.of(self.config.root).image_labels
        if not file.is_file():
            raise UserError(
                f"data.classes needs {file}, which says what each image shows. To make it from the "
                f"masks, run: fewmask prepare voc --root {self.config.root}"
            )
        return keep_classes(data, self.config.classes, file)

    def files(self, split: Split) -> Files:
        """The augmented training set, or the validation set with VOC's own masks."""
        layout = Layout.of(self.config.root)
        if split == "val":
            own = (layout.home / "SegmentationClass").is_dir()
            masks = "SegmentationClass" if own else "SegmentationClassAug"
            return self._files(layout.lists / "val.txt", masks)
        file = layout.lists / "train_aug.txt"
        if not file.is_file():
            raise UserError(
                f"The list {file} is missing: VOC and SBD are not joined yet. Run: fewmask prepare "
                f"voc --root {self.config.root} (add --download to fetch both archives)."
            )
        return self._files(file, "SegmentationClassAug")

    def _files(self, file: Path, masks: str) -> Files:
        home = Layout.of(self.config.root).home
        # VOC's own lists and its copies write ids, file names or pairs.
        names = [image_id(line) for line in self.read_own_list(file)]
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise UserError(f"A list of {home} names '{twice}' twice. Run fewmask prepare voc.")
        advice = "VOC masks hold 0..20 and 255. Take the file from the data set again."
        return Files(
            Paths(home / "JPEGImages", names, ".jpg"),
            Paths(home / masks, names, ".png"),
            names,
            LabelTable(21, advice=advice),
        )

    @classmethod
    def further_counts(cls, root: Path) -> dict[str, tuple[int, int]]:
        """Counts VOC's own training list."""
        train = _ids(Layout.of(root).lists / "train.txt")
        return {"training images with VOC's own masks": (len(train), cls.OWN_TRAIN_IMAGES)}

    def missing(self, file: Path, what: str) -> str:
        """The message about a missing file. Masks of the augmented set are made from SBD."""
        if file.parent.name != "SegmentationClassAug":
            return super().missing(file, what)
        return (
            f"The mask {file} is missing. It is made from {SBD_HOME}. Run: fewmask prepare voc "
            f"--root {self.config.root}"
        )

    @classmethod
    def convert(cls, root: Path) -> None:
        """Makes SegmentationClassAug and its lists from VOC's masks and SBD's.

        An image that both have annotated keeps VOC's mask. VOC's validation images are left out.
        """
        layout = Layout.of(root)
        _join_masks(root, layout)
        data = cls(cls.Config(name=cls.KEY, root=root)).open()
        objects = layout.home / "Annotations"
        others = sorted(stems(objects, ".xml") - {*data.labeled.names, *data.val.names})
        # PseudoSeg's code takes the classes from masks; objects tell of the images without one.
        write_image_labels(
            (data.labeled, data.val),
            NAMES,
            layout.image_labels,
            others,
            lambda name: object_classes(objects / f"{name}.xml", NAMES[1:]),
        )

    @classmethod
    def image_labels(cls, root: Path) -> Path:
        """The file with the classes of each image."""
        return Layout.of(root).image_labels


class Layout(NamedTuple):
    """Where the folders of VOC are."""

    home: Path
    lists: Path

    @classmethod
    def of(cls, root: Path) -> "Layout":
        """Finds VOC in a folder or below its VOCdevkit.

        Raises:
            UserError: if it is not there.
        """
        places = (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012")
        home = first_folder(places, "JPEGImages")
        if home is None:
            raise UserError(
                f"There is no JPEGImages in {root} or its VOCdevkit/VOC2012. data.root (or --root) "
                f"must be the folder of {VOC.HOME}."
            )
        return cls(home, home / "ImageSets" / "Segmentation")

    @property
    def image_labels(self) -> Path:
        """The file that says which classes each image shows."""
        return self.lists / "image_labels.csv"


def _ids(file: Path) -> set[str]:
    if not file.is_file():
        raise UserError(f"The list {file} is missing. It is part of {VOC.HOME}.")
    return {image_id(line) for line in read_lines(file)}


def _join_masks(root: Path, layout: Layout) -> None:
    """Makes SegmentationClassAug and train_aug.txt; what is done is skipped."""
    masks, out = layout.home / "SegmentationClass", layout.home / "SegmentationClassAug"
    file = layout.lists / "train_aug.txt"  # written last: if it is there, everything is done
    train, val = (_ids(layout.lists / f"{split}.txt") for split in ("train", "val"))
    sbd = find_sbd(root, layout.home)
    if sbd is not None:
        names = sorted((sbd_ids(sbd) | train) - val)
        jobs = [
            (masks / f"{name}.png" if name in train else sbd / "cls" / f"{name}.mat", out)
            for name in names
        ]
        convert_all(_to_png, jobs, "VOC and SBD masks")
    elif file.is_file() and out.is_dir():
        return  # a ready copy
    elif out.is_dir():  # a ready copy without its list
        names = sorted(stems(out, ".png") - val)
    else:
        raise UserError(
            f"SBD is missing: there is no benchmark_RELEASE/dataset/cls below {root}. It comes "
            f"from {SBD_HOME}; unpack it into {root}, or run again with --download."
        )
    atomic.write_text(file, "".join(f"{name}\n" for name in names))


def _to_png(job: tuple[Path, Path]) -> None:
    """Writes one mask of the augmented set, from VOC's PNG or from SBD's .mat."""
    source, folder = job
    out = folder / f"{source.stem}.png"
    if out.is_file():
        return
    mask = read_mask(source) if source.suffix == ".png" else read_sbd(source)
    save_mask(mask, out)
