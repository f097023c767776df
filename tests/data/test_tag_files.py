"""Image-level labels in a folder, one file for each image."""

import numpy as np
import pytest

from fewmask.batch import IGNORE
from fewmask.data.classes import Classes
from fewmask.data.image_labels import read_image_labels
from fewmask.data.label_table import LabelTable
from fewmask.errors import UserError

CLASSES = Classes(["background", "coat", "hat", "shoe"])
NAMES = ["0001", "sub/0002"]
TRUTH = [[True, True, False, True], [False, False, True, False]]


def mat(file, **content):
    file.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("scipy.io").savemat(file, content)


def cell(*words):
    found = np.empty((1, len(words)), object)
    found[0] = words
    return found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 1, 3], [2]),
        (np.array([[0], [1], [3]], np.uint8), np.array([[2.0]])),
        ([1, 1, 0, 1], [0, 0, 1, 0]),  # one for each class
        (np.array([True, True, False, True]), np.array([False, False, True, False])),
        (cell("background", "coat", "shoe"), cell("hat")),
    ],
    ids=["row", "column", "one each", "logical", "names"],
)
def test_matlab_files(first, second, tmp_path):
    mat(tmp_path / "0001.mat", tags=first)
    mat(tmp_path / "sub/0002.mat", tags=second)
    mat(tmp_path / "label_list.mat", label_list=cell("of", "no", "image"), other=[[1, 2]])
    assert read_image_labels(tmp_path, NAMES, CLASSES).tolist() == TRUTH


@pytest.mark.parametrize("text", ["0\n1\n3\n", "background, coat, shoe", "coat;shoe;0"])
def test_numpy_and_text_files(text, tmp_path):
    (tmp_path / "0001.txt").write_text(text)
    np.save(tmp_path / "0002.npy", [2])  # by its bare name
    assert read_image_labels(tmp_path, NAMES, CLASSES).tolist() == TRUTH


def test_numbers_are_those_of_the_masks(tmp_path):
    table = LabelTable(4, {10: 0, 20: 1, 30: 3, 40: 2, 99: IGNORE})
    mat(tmp_path / "0001.mat", tags=[10, 20, 30, 99])
    mat(tmp_path / "0002.mat", tags=[40])
    assert read_image_labels(tmp_path, NAMES, CLASSES, table).tolist() == TRUTH
    colored = LabelTable(4, palette={0xFF0000: 1})
    np.save(tmp_path / "2.npy", [2])
    assert read_image_labels(tmp_path, ["2"], CLASSES, colored).tolist() == [TRUTH[1]]


def test_an_image_may_show_no_class(tmp_path):
    mat(tmp_path / "0001.mat", tags=np.zeros((0, 0)))
    assert not read_image_labels(tmp_path, ["0001"], CLASSES).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"tags": [1, 4]}, "no class has the number 4 in masks; they are 0, 1, 2, 3. If .*from 1"),
        ({"tags": [1.5]}, r"no class has the number 1\.5"),
        ({"tags": [np.nan]}, "no class has the number nan"),
        ({"tags": [1, 2], "scores": [1, 2]}, r"expected one vector .* found \w+ \[2\], "),
        ({"groundtruth": np.eye(3)}, r"found \w+ \[3, 3\]"),
        ({"tags": [1, 1]}, "the number of each class once; found 1, 1"),
        ({"tags": [0, 1, 0]}, "the number of each class once; found 0, 1, 0"),
        ({"tags": cell("coat", "hut")}, "gives '0001' the class 'hut'. Did you mean 'hat'"),
        ({"tags": cell("coat", [1, 2])}, r"found object \[2\]"),
    ],
)
def test_what_cannot_be_meant(content, message, tmp_path):
    mat(tmp_path / "0001.mat", **content)
    with pytest.raises(UserError, match=message):
        read_image_labels(tmp_path, ["0001"], CLASSES)


def test_a_0_or_1_for_each_of_two_classes_is_not_taken_for_their_numbers(tmp_path):
    for name, tags in (("a", [1, 0]), ("b", [True, False])):
        np.save(tmp_path / f"{name}.npy", tags)
        with pytest.raises(UserError, match="expected the number of each class once"):
            read_image_labels(tmp_path, [name], Classes(["soil", "weed"]))


def test_damaged_doubled_and_missing_files(tmp_path):
    with pytest.raises(UserError, match="no file in this folder has the name of an image"):
        read_image_labels(tmp_path, NAMES, CLASSES)
    (tmp_path / "0001.txt").write_text("coat")
    with pytest.raises(UserError, match="does not name the unlabeled image 'sub/0002'"):
        read_image_labels(tmp_path, NAMES, CLASSES)
    (tmp_path / "0001.npy").write_bytes(b"no array")
    with pytest.raises(UserError, match="image-level labels .*0001.npy"):
        read_image_labels(tmp_path, NAMES, CLASSES)
    np.save(tmp_path / "0001.npy", [1])
    with pytest.raises(UserError, match="0001.txt: a second file has the same name"):
        read_image_labels(tmp_path, NAMES, CLASSES)


def test_a_number_of_any_length_is_one_message(tmp_path):
    (tmp_path / "0001.txt").write_text("9" * 5000)
    with pytest.raises(UserError, match="'9+'"):
        read_image_labels(tmp_path, NAMES[:1], CLASSES)
