"""Published data sets: where their files lie, class names, palettes."""

from pathlib import Path

import numpy as np

from fewmask.data.dataset import Classes, Data, DataSource, Files, LabelTable
from fewmask.data.lists import list_images, pick_names, read_list, unique_names
from fewmask.errors import UserError


class CamVid(DataSource):
    """CamVid, street scenes at 480 x 360, 11 classes (SegNet's version).

    Layout: `train/images`, `train/masks`, `val/images`, `val/masks`, and lists of labeled images in
    `splits/labeled_N.txt`. Masks hold 0..10, and 11 for unlabeled pixels.

    Source: Brostow et al., Pattern Recognition Letters 2009; Badrinarayanan et al., PAMI 2017.
    """

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
    COLOURS = (
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

    class Config(DataSource.Config):
        """Where CamVid lies and which of its training images count as labeled."""

        root: Path
        """The folder that holds train/ and val/."""
        labeled: int | Path | None = None
        """N reads splits/labeled_N.txt, a .txt file is read itself, null labels every training
        image."""

    config: Config

    def open(self) -> Data:
        """Lists the three sets; unlabeled are the training images that are not on the list."""
        train, val = self._files("train"), self._files("val")
        labeled = self._labeled(train)
        unlabeled = sorted(set(range(len(train))) - set(labeled))
        return Data(
            Classes(self.NAMES, self.COLOURS), train.subset(labeled), train.subset(unlabeled), val
        )

    def _files(self, part: str) -> Files:
        folder = self.config.root / part
        images = list_images(folder / "images")
        masks = [folder / "masks" / f"{image.stem}.png" for image in images]
        missing = [mask for mask in masks if not mask.is_file()]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(images)} CamVid images in {folder} have no mask (first: "
                f"{missing[0]})."
            )
        names = unique_names(images, folder / "images")
        table = LabelTable(len(self.NAMES), ignore=(11, 255))
        memory: dict[Path, np.ndarray] | None = {} if self.config.in_memory else None
        return Files(images, masks, names, table, self.config.long_side, memory)

    def _labeled(self, train: Files) -> list[int]:
        labeled = self.config.labeled
        if labeled is None:
            return list(range(len(train)))
        if isinstance(labeled, int):
            folder = self.config.root / "splits"
            labeled = folder / f"labeled_{labeled}.txt"
            if not labeled.is_file():
                known = sorted(int(f.stem.split("_")[1]) for f in folder.glob("labeled_*.txt"))
                raise UserError(
                    f"data.labeled={self.config.labeled}: there is no {labeled}. Lists there: "
                    f"{known or 'none'}. Or give a .txt list of image names."
                )
        return pick_names(read_list(labeled), train, labeled)
