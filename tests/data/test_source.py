"""What a source hands over, and the files that it has."""

import numpy as np

from fewmask.data import Classes, Data, Dataset, DataSource, Files, LabelTable
from fewmask.data.sources.synthetic import Synthetic


class Empty(Dataset):
    names = ()

    def image(self, index):
        raise AssertionError


def test_a_pool_can_be_taken_away_again():
    own, pool = Empty(), Empty()
    data = Data(Classes(["a", "b"]), Empty(), own, Empty(), notes=("one",))
    assert data.without_pool() is data
    pooled = data.with_pool(pool, "two")
    assert pooled.unlabeled is pool and pooled.notes == ("one", "two")
    assert pooled.without_pool() is data and pooled.without_pool().unlabeled is own


def test_the_inventory_of_files_and_of_scenes(photos):
    class Mine(DataSource):
        def open(self):
            images = sorted((photos / "images").iterdir())
            masks = [photos / "masks" / f"{image.stem}.png" for image in images[:5]]
            files = Files(images, [*masks, None, None, None], [*"abcdefgh"], LabelTable(2))
            labeled, unlabeled, val = (files.subset(x) for x in ([0, 1], [5, 6], [3]))
            return Data(Classes(["a", "b"]), labeled, unlabeled, val)

    found = Mine(Mine.Config(name="mine")).inventory()
    assert [len(files) for files in found.images.values()] == [2, 2, 1]
    assert {subset: len(masks) for subset, masks in found.masks.items()} == {"labeled": 2, "val": 1}
    assert found.class_names == ("a", "b") and found.was_opened and found.labels.num_classes == 2
    config = Synthetic.Config(name="synthetic", labeled=1, unlabeled=1, val=1)
    assert Synthetic(config).inventory() is None
    assert not Synthetic(config).draws_val()


def test_classes_have_colors_and_values_of_their_own():
    classes = Classes(["a", "b", "c"])
    assert len(classes) == 3 and classes.values == (0, 1, 2) and classes.no_label == 255
    assert len(np.unique(classes.colors, axis=0)) == 3
