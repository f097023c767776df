"""VOC with some of its classes: which images stay, and what their masks mean."""

import numpy as np
import pytest

from fewmask.data.image_labels import read_image_labels
from fewmask.data.sources.kept_classes import require_known, write_image_labels
from fewmask.data.sources.voc import NAMES, VOC, voc_colors
from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data.trees import opened, quiet, tree

LABELS = "VOCdevkit/VOC2012/ImageSets/Segmentation/image_labels.csv"


def test_images_that_show_no_kept_class_are_left_out(tmp_path):
    """VOC's own masks here show person and tvmonitor, those of SBD bird and car."""
    root = tree("voc", tmp_path)
    data = opened("voc", root, labeled=3, classes=["background", "person"])
    assert list(data.labeled.names) == ["2007_000000", "2007_000001"]
    assert list(data.unlabeled.names) == ["2007_000002"]
    assert list(data.val.names) == ["2008_000001", "2008_000002"]
    (note,) = data.notes
    assert "2 of 3 labeled, 1 of 4 unlabeled, 2 of 2 val" in note
    cars = opened("voc", root, labeled=3, classes=["background", "car"])
    assert (len(cars.labeled), len(cars.unlabeled), len(cars.val)) == (1, 3, 0)


def test_kept_classes_are_numbered_anew_and_others_have_no_label(tmp_path):
    data = opened("voc", tree("voc", tmp_path), classes=["background", "tvmonitor", "person"])
    before = opened("voc", tmp_path).labeled.mask(0)
    mask = data.labeled.mask(0)
    for old, new in ((0, 0), (20, 1), (15, 2), (255, 255)):
        assert np.array_equal(before == old, mask == new)
    only = opened("voc", tmp_path, classes=["person"])
    assert np.unique(only.val.mask(0)).tolist() == [0, 255]


def test_predictions_keep_the_values_and_colors_of_all_classes(tmp_path):
    classes = opened("voc", tree("voc", tmp_path), classes=["background", "person"]).classes
    assert classes.names == ("background", "person") and classes.values == (0, 15)
    assert classes.colors.tolist() == [list(voc_colors(21)[i]) for i in (0, 15)]


def test_a_value_that_no_class_has_is_still_refused(tmp_path):
    data = opened("voc", tree("voc", tmp_path), classes=["background", "person"])
    with pytest.raises(UserError, match="has label 77"):
        data.val.labels.to_labels(np.full((2, 2), 77, np.uint8), tmp_path / "m.png")


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (["background", "cta"], "names 'cta', but there is no such class. Did you mean 'cat'"),
        (["cat", "cat"], "names 'cat' twice"),
        (["background"], "at least one class besides background"),
        ([], "keeps no image"),
    ],
)
def test_a_wrong_choice_is_refused(kept, says):
    with pytest.raises(UserError, match=says):
        require_known(kept, NAMES)


def test_a_wrong_choice_in_a_recipe_is_refused_before_files_are_looked_for(tmp_path):
    with pytest.raises(UserError, match="data.classes names 'cats'"):
        opened("voc", tmp_path / "nowhere", classes=["cats"])


@pytest.mark.parametrize("row", ["2007_000000", "2007_000000,person,cat", ""])
def test_a_damaged_list_of_classes_is_one_message(row, tmp_path):
    file = tree("voc", tmp_path) / LABELS
    file.write_text(file.read_text() + f"{row}\n2009_000001,bird\n")
    with pytest.raises(UserError, match="image_labels.csv is damaged: .* fewmask prepare voc"):
        opened("voc", tmp_path, classes=["background", "person"])


def test_without_the_list_of_classes_the_command_that_makes_it_is_named(tmp_path):
    root = tree("voc", tmp_path)
    (root / LABELS).unlink()
    with pytest.raises(UserError, match="fewmask prepare voc --root"):
        opened("voc", root, classes=["person"])
    prepare("voc", root, False, quiet)
    assert len(opened("voc", root, classes=["person"]).val) == 2


def test_the_list_of_classes_is_one_for_image_labels(tmp_path):
    data = opened("voc", tree("voc", tmp_path), labeled=3)
    present = read_image_labels(tmp_path / LABELS, data.unlabeled.names, VOC.CLASSES)
    shown = [[NAMES[label] for label in np.flatnonzero(row)] for row in present]
    assert shown == [["person", "tvmonitor"], *[["bird", "car"]] * 3]


def test_the_list_is_written_again_only_for_other_images(tmp_path):
    data = opened("voc", tree("voc", tmp_path))
    file = tmp_path / LABELS
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines).replace("person", "cat"))
    write_image_labels((data.labeled, data.val), NAMES, file)
    assert "cat" in file.read_text()
    file.write_text("".join(lines[:-1]))
    write_image_labels((data.labeled, data.val), NAMES, file)
    assert file.read_text() == "".join(lines)
