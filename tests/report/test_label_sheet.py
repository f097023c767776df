"""A sheet of labeled photos under their masks."""

import numpy as np
from PIL import Image

from fewmask.data import Classes, Data, Dataset
from fewmask.report.label_sheet import TILE, label_sheet, rarest_first
from fewmask.report.pictures import GAP, HEADER
from tests.data.checks.photos import write_clean
from tests.program import fewmask


class Labeled(Dataset):
    """White photos, whose mask is the number `labels[i]` in its left half."""

    def __init__(self, labels, size=(20, 40)):
        self.labels, self.size = labels, size
        self.names = [f"p{i}" for i in range(len(labels))]

    def image(self, index):
        return np.full((*self.size, 3), 255, np.uint8)

    def mask(self, index):
        mask = np.full(self.size, 255, np.uint8)
        mask[:, : self.size[1] // 2] = self.labels[index]
        return mask


def test_rare_classes_come_first_and_no_photo_twice():
    images = Labeled([0, 0, 1, 0, 2, 0, 1])
    assert rarest_first(images, 3, 7) == [4, 2, 0, 6, 1, 3, 5]
    assert rarest_first(images, 3, 2) == [4, 2]


def test_labels_are_colored_and_pixels_without_a_label_stay():
    classes = Classes(["ground", "house", "tree"], [(0, 0, 0), (255, 0, 0), (0, 0, 255)])
    images = Labeled([1, 2])
    sheet = np.asarray(label_sheet(Data(classes, images, images, images)))
    middle = HEADER + GAP + TILE // 2
    mask = GAP + TILE + GAP  # the left end of the first mask
    assert sheet.shape[1] == 4 * (TILE + GAP) + GAP and sheet.shape[0] > HEADER + TILE
    red, blue = sheet[middle, mask + TILE // 4], sheet[middle, mask + 2 * (TILE + GAP) + TILE // 4]
    assert red[0] == 255 and red[2] < 130 and blue[2] == 255 and blue[0] < 130
    assert (sheet[middle, mask + 3 * TILE // 4] == 255).all()
    legend = sheet[HEADER + TILE + 2 * GAP :]
    assert (legend == (255, 0, 0)).all(axis=2).any() and (legend == (0, 0, 255)).all(axis=2).any()


def test_the_command_writes_it_unless_the_masks_mean_nothing(tmp_path):
    root = write_clean(tmp_path / "photos")
    words = ("check", root, "data.val=val", "--picture", tmp_path / "sheet.png")
    assert "does each mask fit its photo?" in fewmask(*words)
    assert Image.open(tmp_path / "sheet.png").size[0] > 3 * TILE
    assert "Give a .png or .jpg file" in fewmask(*words[:-1], tmp_path / "sheet.xyz", code=2)
    for file in root.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)) * 255).save(file)
    (tmp_path / "sheet.png").unlink()
    assert "No picture was drawn" in fewmask(*words, code=2)
    assert not (tmp_path / "sheet.png").exists()
