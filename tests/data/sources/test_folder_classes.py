"""Classes of a user's own folder: invented names, colors, values."""

import numpy as np
import pytest
from PIL import Image

from fewmask.data import (
    LabelTable,
)
from fewmask.data.sources.folder_classes import folder_classes
from fewmask.errors import UserError
from tests.data.own_folder import checked, expect, opened_folder, save_mask


def test_values_that_are_no_labels_are_refused(photos):
    for i in range(5):
        save_mask(photos, f"p{i}", np.full((40, 60) if i % 2 else (50, 50), 100 + i, np.uint8))
    with pytest.raises(UserError, match=r"hold the values 100, 101, .*mapping=.\{100: 0, 101: 1,"):
        opened_folder(photos)
    mapping = {100 + i: 40 * i for i in range(5)}
    with pytest.raises(UserError, match=r"the labels 0, 40, .*to 0..4, without gaps, or name 161"):
        opened_folder(photos, label_mapping=mapping)


def test_predictions_use_the_values_and_colors_of_the_users_masks():
    mapped = folder_classes(["a", "b"], LabelTable(2, mapping={7: 0, 200: 1, 201: 1, 9: 255}))
    assert mapped.values == (7, 200) and mapped.no_label == 255
    palette = {0x102030: 0, 0xFF0000: 1, 0x00FF00: 255}
    colored = folder_classes(["a", "b"], LabelTable(2, palette=palette))
    assert colored.colors.tolist() == [[16, 32, 48], [255, 0, 0]]
    assert colored.no_label == 255 and colored.no_label_color == (0, 255, 0)
    nothing = folder_classes(["a", "b"], LabelTable(2, palette={0: 0, 1: 1}))
    assert nothing.no_label is None


def test_masks_of_0_and_255_only(photos):
    for i in range(5):
        mask = np.array(Image.open(photos / "masks" / f"p{i}.png")) * 255
        save_mask(photos, f"p{i}", mask)
    expect(photos, "hold the values 0, 255", "{0: 0, 255: 1}")
    expect(photos, "hold the values 0, 255", "{0: 0, 255: 1}", names=("a", "b"))
    assert checked(photos, binary=True).labeled.mask(0).max() == 1
    data = checked(photos, label_mapping={255: 1})
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1]
