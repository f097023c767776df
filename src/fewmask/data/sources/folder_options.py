"""The options of your own images: where the files are, and what the masks mean."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from fewmask.batch import IGNORE
from fewmask.data.affixes import Affixes
from fewmask.data.label_table import LabelTable
from fewmask.data.source import DataSource
from fewmask.data.sources.folder_slips import (
    names_in_order,
    number_or_list,
    several,
    spaced,
    with_hash,
    without_extension,
)
from fewmask.data.sources.folder_subsets import Wish
from fewmask.data.sources.mask_pattern import is_pattern
from fewmask.data.sources.names_file import NAMES_SUFFIXES, read_names

Label = Annotated[int, Field(ge=0, le=255)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class FolderOptions(DataSource.Config):
    """Where the files are and what the masks mean."""

    root: Path = Path()
    """The folder that the other paths start from."""
    images: Path = Path("images")
    """A folder of images (with subfolders), or a .txt list of them, one path per line."""
    masks: Path = Path("masks")
    """A folder of masks. A mask has the name of its image, apart from the extension, and lies
    in the same subfolder. Or a path with {name}, the name of an image: masks/{name}_label. There
    may be a folder, with one mask for each object in the image."""
    mask_suffix: str = ""
    """The end of the names of masks, which does not count: _mask for p1.jpg and p1_mask.png.
    Images and masks may then lie in one folder."""
    mask_prefix: str = ""
    """The beginning of the names of masks, which does not count."""
    image_suffix: str = ""
    """The end of the names of images, which does not count."""
    image_prefix: str = ""
    """The beginning of the names of images, which does not count: img_ for img_1.jpg and 1.png."""
    mask_array: str = ""
    """The name of the array that is the mask, in .mat and .npz files that hold several."""
    resize_masks: bool = False
    """Whether masks of another size get the size of their image. They must have its shape."""
    labeled: Annotated[int | Path | None, BeforeValidator(number_or_list)] = None
    """Which images count as labeled: null for all with a mask, a number of them to draw, or a
    .txt list of names. The other images with a mask are then used as unlabeled."""
    val: Path | None = None
    """Images to evaluate on: a .txt list of names, or a folder with images/ and masks/. null
    holds out some of the images with masks."""
    val_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of the images with masks that is held out if val is not given."""
    split_seed: int = Field(default=0, ge=0)
    """Random seed for what is held out and what counts as labeled. The run's own seed does not
    change it."""
    names: Annotated[tuple[str, ...], BeforeValidator(names_in_order)] | None = None
    """Names of the classes, in order of their labels; or {0: soil, 1: weed}; or a file: a .txt list
    of them, or a .mat file with a cell array. null counts the labels in the masks."""
    label_mapping: Annotated[dict[int, Label], BeforeValidator(spaced)] = {}
    """Mask value to label, for masks whose values are not 0..K-1. 255 means: no label. A value
    that stands here means what stands here, and is not asked about."""
    binary: bool = False
    """Whether all mask values above 0 are class 1: masks of 0 and 255, or with a number for
    each object. What `label_mapping` and `ignore` name means what they say."""
    palette: Annotated[dict[Color, Label], BeforeValidator(with_hash)] = {}
    """Color to label, for masks whose colors are the classes: {"#000000": 0, "#ff0000": 1}.
    255 means: no label."""
    ignore: Annotated[tuple[int, ...] | None, BeforeValidator(several)] = None
    """Mask values that mean: no label. null: 255, or none with `binary`."""

    @model_validator(mode="before")
    @classmethod
    def _with_names(cls, values: Any) -> Any:
        """The options with the names that stand in a file."""
        names = Path(text) if isinstance(text := values.get("names"), str) else Path()
        if names.suffix.lower() not in NAMES_SUFFIXES:
            return values
        return {**values, "names": read_names(Path(values.get("root", ""), names))}

    def label_table(self, num_classes: int) -> LabelTable:
        """How values in the masks become labels."""
        palette = {int(color[1:], 16): label for color, label in self.palette.items()}
        ignore = self.ignore
        if ignore is None:
            ignore = () if self.binary else (IGNORE,)
        return LabelTable(
            num_classes, self.label_mapping, ignore, palette, self.binary, array=self.mask_array
        )

    def places(self) -> tuple[Path, Path]:
        """Where the images and the masks are."""
        return self.root / self.images, self.root / self.masks

    def places_of_val(self, folder: Path) -> tuple[Path, Path]:
        """Where they are in a folder of images to evaluate on: masks by a pattern, as elsewhere."""
        if is_pattern(self.masks):
            return folder / self.images, folder / self.masks
        return folder / "images", folder / "masks"

    def affixes(self) -> Affixes:
        """What does not count in names."""
        mask_suffix = without_extension(self.mask_suffix)
        image_suffix = without_extension(self.image_suffix)
        return Affixes(self.mask_prefix, mask_suffix, image_suffix, self.image_prefix)

    def wish(self) -> Wish:
        """How the images are to be divided."""
        wanted = self.labeled
        place = self.root / wanted if isinstance(wanted, Path) else wanted
        return Wish(place, self.val_fraction, self.split_seed)
