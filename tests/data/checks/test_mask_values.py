"""Masks whose numbers do not mean what they seem to: `check` and `train` stop with one message."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.data.checks.photos import NAMED, both_refuse, check, loaded, masks_of, rewrite, said


def test_0_and_255_with_two_names(clean):
    rewrite(clean, lambda mask, i: mask * 255)
    both_refuse(clean, "data.label_mapping='{0: 0, 255: 1}'", NAMED)
    for cure in ("data.label_mapping={0: 0, 255: 1}", "data.binary=true"):
        data, _ = loaded(clean, NAMED, cure)
        assert np.unique(data.labeled.mask(0)).tolist() == [0, 1]
        assert check(clean, NAMED, cure).exit_code == 0


@pytest.mark.parametrize("is_odd", [lambda i: i % 2, lambda i: i < 3, lambda i: i > 13])
def test_0_and_1_beside_0_and_255(clean, is_odd):
    rewrite(clean, lambda mask, i: mask * 255 if is_odd(i) else mask)
    both_refuse(clean, "Is 255 the object there?", NAMED)
    assert "data.label_mapping='{0: 0, 1: 1, 255: 1}'" in said(clean, NAMED)
    data, _ = loaded(clean, NAMED, "data.label_mapping={0: 0, 1: 1, 255: 1}")
    assert all(data.labeled.mask(i).max() == 1 for i in range(len(data.labeled)))
    data, _ = loaded(clean, NAMED, "data.label_mapping={255: 255}")
    labels = {int(data.labeled.mask(i).max()) for i in range(len(data.labeled))}
    assert 255 in labels or is_odd(14)


def test_255_beside_a_class_is_no_label(clean):
    def with_border(mask, i):
        mask[4] = 255 if i != 2 else 0
        return np.where(mask == 1, 0, mask) if i == 1 else mask  # 0 and 255 alone, rightly

    rewrite(clean, with_border)
    assert check(clean, NAMED).exit_code == 0


@pytest.mark.parametrize("words", [(), (NAMED,)])
def test_smoothed_edges(clean, words):
    def smooth(mask, i):
        small = Image.fromarray(mask * 255).resize((16, 12))
        return small.resize((40, 30), Image.Resampling.BICUBIC)

    rewrite(clean, smooth)
    both_refuse(clean, "their edges were smoothed", *words)


@pytest.mark.parametrize("lowest", [-1, -100, -9999, -32768])
def test_negative_values_are_no_classes(clean, lowest):
    def with_no_data(mask, i):
        values = mask.astype(np.int32)
        values[0] = lowest
        return values

    for file in masks_of(clean):
        changed = with_no_data(np.array(Image.open(file)), 0)
        Image.fromarray(changed).save(file.with_suffix(".tif"))
        file.unlink()
    both_refuse(clean, f"data.ignore='[{lowest}, 255]'", NAMED)
    mapped = f"data.label_mapping={{{lowest}: 255}}"
    for cure in (f"data.ignore=[{lowest}, 255]", mapped):
        data, _ = loaded(clean, NAMED, cure)
        assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 255]


def test_a_value_that_nobody_mapped_joins_no_class(clean):
    rewrite(clean, lambda mask, i: np.where(np.arange(30)[:, None] < 3, 0, mask + 1).astype("u1"))
    mapping = "data.label_mapping={1: 0, 2: 1}"
    both_refuse(clean, "data.label_mapping does not name 0", NAMED, mapping)
    data, _ = loaded(clean, NAMED, mapping, "data.ignore=[0, 255]")
    assert data.labeled.mask(0)[0, 0] == 255 and data.labeled.mask(0)[29, 0] == 0
    data, _ = loaded(clean, NAMED, "data.label_mapping={0: 0, 1: 0, 2: 1}")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1]


def test_one_value_too_many_may_mean_that_0_is_no_label(clean):
    rewrite(clean, lambda mask, i: np.where(np.arange(30)[:, None] < 3, 0, mask + 1).astype("u1"))
    both_refuse(clean, "data.ignore='[0, 255]' data.label_mapping='{1: 0, 2: 1}'", NAMED)
    data, _ = loaded(clean, NAMED, "data.ignore=[0, 255]", "data.label_mapping={1: 0, 2: 1}")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 255]


def test_numbers_of_objects_become_one_class(clean):
    def numbered(mask, i):
        mask[:] = 0
        for k in range(3 + i % 4):
            mask[2:5, 6 * k : 6 * k + 4] = k + 1
        return mask

    rewrite(clean, numbered)
    assert "Are these numbers of objects?" in said(clean)
    _, told = loaded(clean)
    assert any("Are these numbers of objects?" in line for line in told)
    data, told = loaded(clean, "data.binary=true")
    assert len(data.classes) == 2 and np.unique(data.labeled.mask(0)).tolist() == [0, 1]
    assert not any("objects" in line for line in told)


def test_more_objects_than_a_byte_can_count(clean):
    def numbered(mask, i):
        return (np.arange(mask.size).reshape(mask.shape) + 1000 * i).astype(np.uint16)

    rewrite(clean, numbered)
    both_refuse(clean, "data.binary=true makes one class of all of them")
    data, _ = loaded(clean, "data.binary=true", "data.names=[background, object]")
    assert data.labeled.mask(1).min() == 1


def test_val_without_a_label(clean):
    for file in sorted((clean / "val" / "masks").iterdir()):
        Image.new("L", (40, 30), 255).save(file)
    both_refuse(clean, "No mask of a val image holds a label", NAMED)


def test_a_class_that_no_labeled_image_shows_is_told(clean):
    names = "data.names=[ground, house, tree]"
    assert "No labeled image shows tree." in said(clean, names)
    for _ in range(2):  # also when the files have passed before
        _, told = loaded(clean, names)
        assert any("No labeled image shows tree." in line for line in told)


def test_check_looks_at_the_labels_that_training_would_use(clean):
    mask = np.zeros((30, 40), np.uint8)
    Image.fromarray(mask).save(clean / "masks" / "p00.png")
    Image.fromarray(mask).save(clean / "masks" / "p01.png")
    (clean / "labeled.txt").write_text("p00\np01\n")
    found = check(clean, "data.labeled=labeled.txt", NAMED)
    assert len(found.survey.images["labeled"]) == 2
    assert "Only 2 image(s) to train on have a mask" in found.in_words()
    assert "No labeled image shows b. Val shows b, which will score 0." in found.in_words()
    _, told = loaded(clean, "data.labeled=labeled.txt", NAMED)
    assert any("Val shows b, which will score 0." in line for line in told)


def test_0_and_255_beside_masks_with_a_border_of_255(clean):
    def mixed(mask, i):
        if i % 2:
            return mask * 255
        mask[4] = 255  # a border
        return mask

    rewrite(clean, mixed)
    both_refuse(clean, "Is 255 the object there?", NAMED)


def test_smoothed_edges_are_no_object_either(clean):
    def smooth(mask, i):
        small = Image.fromarray(mask * 255).resize((16, 12))
        return small.resize((40, 30), Image.Resampling.BICUBIC)

    rewrite(clean, smooth)
    both_refuse(clean, "their edges were smoothed", "data.binary=true")


def test_values_to_ignore_are_ignored_in_masks_of_one_object(clean):
    def with_border(mask, i):
        mask[4] = 255
        return mask

    rewrite(clean, with_border)
    data, _ = loaded(clean, "data.binary=true", "data.ignore=[255]")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 255]
    data, _ = loaded(clean, "data.binary=true")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1]


def test_objects_that_are_counted_on_from_mask_to_mask(clean):
    rewrite(clean, lambda mask, i: np.where(mask == 1, i + 1, 0).astype(np.uint8))
    assert "Are these numbers of objects?" in said(clean)


def test_as_many_names_as_values_make_a_class_of_255(clean):
    def three_values(mask, i):
        mask = mask * 128
        mask[:3] = 255
        return mask

    rewrite(clean, three_values)
    three = "data.names=[a, b, c]"
    both_refuse(clean, "data.label_mapping='{0: 0, 128: 1, 255: 2}'.", three)
    data, _ = loaded(clean, three, "data.label_mapping={0: 0, 128: 1, 255: 2}")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 2]


def test_classes_that_only_a_folder_for_val_shows_are_counted(clean):
    for file in sorted((clean / "val" / "masks").iterdir()):
        Image.fromarray(np.array(Image.open(file)) * 2).save(file)
    data, _ = loaded(clean)
    assert len(data.classes) == 3


def test_without_a_mask_that_can_be_read_nothing_is_said_of_values(clean):
    for file in masks_of(clean):
        file.write_bytes(b"no image")
    assert "12 mask(s) of labeled images cannot be read" in said(clean, "data.binary=true")


def test_edges_that_are_wider_than_the_object_are_smoothed_too(clean):
    def blur(mask, i):
        return Image.fromarray(mask * 255).filter(ImageFilter.GaussianBlur(2 + i % 2))

    rewrite(clean, blur)
    for words in ((), (NAMED,), ("data.binary=true",)):
        both_refuse(clean, "their edges were smoothed", *words)


def test_masks_of_two_objects_at_most(clean):
    def numbered(mask, i):
        mask[:] = 0
        mask[2:9, 2:9] = 1
        mask[2:9, 20:30] = 2 * (i % 2)
        return mask

    rewrite(clean, numbered)
    assert "Are these numbers of objects?" in said(clean)
    assert "objects?" not in said(clean, "data.names=[ground, house, tree]")
    # Two classes come without each other, too.
    rewrite(clean, lambda mask, i: np.where(mask == 1, 0, mask) if i == 1 else mask)
    assert "objects?" not in said(clean)


def test_advice_leaves_out_what_is_ignored(clean):
    def coded(mask, i):
        values = mask.astype(np.int32) * 100 + 100
        values[0] = -1
        return values

    for i, file in enumerate(masks_of(clean)):
        Image.fromarray(coded(np.array(Image.open(file)), i)).save(file.with_suffix(".tif"))
        file.unlink()
    both_refuse(clean, "data.label_mapping='{100: 0, 200: 1}'", "data.ignore=[-1, 255]")
    data, _ = loaded(clean, "data.ignore=[-1, 255]", "data.label_mapping={100: 0, 200: 1}")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 255]


def test_255_beside_others_may_be_a_class(clean):
    def three_values(mask, i):
        mask = mask * 128
        mask[:3] = 255
        return mask

    rewrite(clean, three_values)
    whole = "data.label_mapping={0: 0, 128: 1, 255: 2}"
    both_refuse(clean, f"If 255 is a class, too: {whole[:19]}'{whole[19:]}'.")
    data, _ = loaded(clean, whole)
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 2]
    both_refuse(clean, f"If they are classes, set {whole[:19]}'{whole[19:]}'", "data.ignore=[]")


def test_masks_that_also_hold_255_are_told_of(clean):
    def with_border(mask, i):
        mask[4] = 255
        return mask

    note = "The masks also hold 255, which means 'no label' (data.ignore)."
    assert note not in loaded(clean)[1]
    rewrite(clean, with_border)
    assert note in loaded(clean)[1]


def test_objects_of_255_and_of_1_in_one_folder(clean):
    def parts(mask, file):
        Image.fromarray(mask * 255).save(file / "0.png")
        Image.fromarray(mask[::-1].copy()).save(file / "1.png")

    for file in masks_of(clean):
        mask = np.array(Image.open(file))
        file.unlink()
        file.with_suffix("").mkdir()
        parts(mask, file.with_suffix(""))
    place = "data.masks=masks/{name}"
    both_refuse(clean, "Is 255 an object there?", place, NAMED)
    data, _ = loaded(clean, place, NAMED, "data.binary=true")
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1]
    assert data.labeled.mask(0)[:, 10].sum() == 20  # rows 5 to 19, and 10 to 24 of the other
