"""The options of a folder say where things are and what masks mean."""

from pathlib import Path

from fewmask.data.affixes import Affixes
from fewmask.data.sources.folder_options import FolderOptions


def options(**words):
    return FolderOptions(name="folder", root=Path("photos"), **words)


def test_places_start_from_the_root():
    assert options().places() == (Path("photos/images"), Path("photos/masks"))
    own = options(images=Path(), masks=Path("{name}/m"))
    assert own.places_of_val(Path("val")) == (Path("val"), Path("val/{name}/m"))
    assert options(masks=Path("labels")).places_of_val(Path("v")) == (
        Path("v/images"),
        Path("v/masks"),
    )


def test_affixes_and_the_wish():
    config = options(mask_suffix="_mask.png", labeled="few.txt", val_fraction=0.5)
    assert config.affixes() == Affixes(mask_suffix="_mask")
    assert config.wish() == (Path("photos/few.txt"), 0.5, 0)


def test_the_label_table_has_all_that_masks_mean():
    table = options(binary=True, mask_array="Segmentation").label_table(2)
    assert table.label_of(7) == 1 and table.array == "Segmentation"
    assert options(palette={"#ff0000": 1}).label_table(2).palette == {0xFF0000: 1}
