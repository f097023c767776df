"""Files that tell which classes an image shows."""

import re

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.data import (
    Classes,
)
from fewmask.data.image_labels import read_image_labels
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    write_folder,
)

CLASSES = Classes(["ground", "cat", "dog"])


NAMES = ["a/0001", "a/0002"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rows.csv", "image,classes\na/0001.jpg,cat;dog\na/0002.jpg,\nother.jpg,cat\n"),
        ("columns.csv", "0001,cat,dog\n0002\n"),
        ("semicolons.csv", "a/0001.jpg;cat;dog\na/0002.jpg;\n"),
        ("tabs.csv", "a/0001.jpg\tcat\tdog\na/0002.jpg\t\n"),
        ("spaces.csv", "a/0001.jpg cat dog\na/0002.jpg\n"),
        ("both.csv", "a/0001.jpg;cat,dog\na/0002.jpg;\n"),
        ("colons.csv", "a/0001.jpg: cat, dog\na/0002.jpg:\n"),
        ("blanks_within.csv", "a/0001.jpg;cat dog\na/0002.jpg;\n"),
        ("bars.csv", "a/0001.jpg,cat|dog\na/0002.jpg,\n"),
        ("several_rows.csv", "a/0001,cat\na/0001,dog\na/0002,\n"),
        ("labels.json", '{"a/0001": ["dog", "cat"], "a/0002": []}'),
    ],
)
def test_formats(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    found = read_image_labels(tmp_path / file, NAMES, CLASSES)
    assert found.tolist() == [[False, True, True], [False, False, False]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/0001,cat\n", "does not name the unlabeled image 'a/0002'"),
        ("a/0001\na/0002\n", "no row holds a class"),
        ("a/0001,cta\na/0002,dog\n", "gives 'a/0001' the class 'cta'. Did you mean 'cat'"),
    ],
)
def test_mistakes(tmp_path, text, message):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_image_labels(tmp_path / "l.csv", NAMES, CLASSES)


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": "cat"}', "{"])
def test_a_wrong_json_file(tmp_path, text):
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(UserError, match="image_labels"):
        read_image_labels(tmp_path / "l.json", NAMES, CLASSES)


def test_an_image_that_a_json_file_names_twice_loses_no_class(tmp_path):
    (tmp_path / "l.json").write_text('{"a/0001": ["dog"], "a/0001": ["cat"], "a/0002": []}')
    with pytest.raises(UserError, match="'a/0001' is given twice. Join the two"):
        read_image_labels(tmp_path / "l.json", NAMES, CLASSES)


def test_the_option_opens_the_file(tmp_path):
    rows = "".join(f"unlabeled_{i:05d},disc\n" for i in range(3))
    (tmp_path / "l.csv").write_text(rows)
    words = ["data=synthetic", "data.unlabeled=3", f"data.image_labels={tmp_path / 'l.csv'}"]
    data = open_data(recipe_from_words(words))
    assert data.image_labels is not None and data.image_labels[:, 1].all()


def test_image_labels_name_a_pool_s_images_with_or_without_suffix(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    (tmp_path / "labels.csv").write_text("part0/000,disc\npart1/001.png,\n002,ring;disc\n")
    words = [*TINY_WORDS, f"data.pool={folder}", f"data.image_labels={tmp_path / 'labels.csv'}"]
    data = open_data(recipe_from_words(["synthetic", *words, "method=pseudoseg"]))
    assert data.image_labels.sum(axis=1).tolist() == [1, 0, 2]


def test_names_with_dots_and_names_that_repeat_are_not_confused(tmp_path):
    (tmp_path / "l.csv").write_text("scene.1,cat\nscene.2,dog\n")
    with pytest.raises(UserError, match=r"does not name the unlabeled image 'scene.3'"):
        read_image_labels(tmp_path / "l.csv", ["scene.1", "scene.3"], CLASSES)
    (tmp_path / "l.csv").write_text("0001.jpg,cat\n0002.jpg,dog\n")
    with pytest.raises(UserError, match="does not name the unlabeled image 'a/0001'"):
        read_image_labels(tmp_path / "l.csv", ["a/0001", "b/0001"], CLASSES)


def test_blanks_in_a_name_are_kept(tmp_path):
    (tmp_path / "f.csv").write_text("0001,dining table\n0002,table\n")
    classes = Classes(["table", "dining table"])
    assert read_image_labels(tmp_path / "f.csv", NAMES, classes).tolist() == [
        [False, True],
        [True, False],
    ]


def test_images_without_labels_are_left_out_as_advised(tmp_path, photos):
    unlabeled = sorted(f.stem for f in (photos / "images").iterdir())
    words = [f"data={photos}", f"data.image_labels={tmp_path / 'l.csv'}"]
    (tmp_path / "l.csv").write_text("nothing,class 1\n")
    with pytest.raises(UserError) as error:
        open_data(recipe_from_words(words))
    (first, more) = re.findall(r"image '(\w+)' and (\d+) more", str(error.value))[0]
    assert "data.images may be a .txt list" in str(error.value) and first in unlabeled
    data = open_data(recipe_from_words(words[:1]))
    assert len(data.unlabeled) == 1 + int(more)
    (tmp_path / "l.csv").write_text(f"{first},class 1\n")
    kept = [*data.labeled.names, *data.val.names, first]
    lines = [f"images/{file.name}" for file in (photos / "images").iterdir() if file.stem in kept]
    (photos / "kept.txt").write_text("\n".join(lines))
    found = open_data(recipe_from_words([*words, "data.images=kept.txt"]))
    assert found.unlabeled.names == [f"images/{first}"] or found.unlabeled.names == [first]
    assert found.image_labels.tolist() == [[False, True]]


def test_several_separators_are_read_as_the_message_says(tmp_path):
    (tmp_path / "l.csv").write_text("0001\n0002\n")
    with pytest.raises(UserError) as error:
        read_image_labels(tmp_path / "l.csv", NAMES, CLASSES)
    (example,) = re.findall(r"such as (\S+) \(separated", str(error.value))
    row = example.replace("p1.jpg", "0001.jpg")
    for mark in ",;\t ":
        (tmp_path / "l.csv").write_text(f"{row.replace(',', mark)}\n0002.jpg{mark}\n")
        found = read_image_labels(tmp_path / "l.csv", NAMES, CLASSES)
        assert found.tolist() == [[False, True, True], [False, False, False]]
