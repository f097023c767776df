from dataclasses import replace

import numpy as np
import pytest

from fewmask.batch import Views, to_device
from fewmask.cli.words import recipe_from_words
from fewmask.data import BatchStream, Classes, LoaderConfig
from fewmask.data.image_labels import read_image_labels
from fewmask.data.sources.folder import folder_values
from fewmask.data.sources.synthetic import Synthetic
from fewmask.errors import UserError
from fewmask.runs.build import open_data

CLASSES = Classes(["ground", "cat", "dog"])
NAMES = ["a/0001", "a/0002"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rows.csv", "image,classes\na/0001.jpg,cat;dog\na/0002.jpg,\nother.jpg,cat\n"),
        ("columns.csv", "0001,cat,dog\n0002\n"),
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


def test_image_labels_travel_with_their_images(tmp_path):
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=2, unlabeled=5, val=1)).open()
    present = np.eye(5, 7, dtype=bool)
    stream = BatchStream(
        replace(data, image_labels=present),
        LoaderConfig(crop=16, labeled_batch=2, unlabeled_batch=5),
        Views(),
        seed=0,
    )
    batch = to_device(stream[0], "cpu")
    assert batch.unlabeled.present.nonzero()[:, 1].tolist() == batch.unlabeled.image_index.tolist()


def test_the_option_opens_the_file(tmp_path):
    rows = "".join(f"unlabeled_{i:05d},disc\n" for i in range(3))
    (tmp_path / "l.csv").write_text(rows)
    words = ["data=synthetic", "data.unlabeled=3", f"data.image_labels={tmp_path / 'l.csv'}"]
    data = open_data(recipe_from_words(words))
    assert data.image_labels is not None and data.image_labels[:, 1].all()


def test_a_data_file_names_it_from_its_own_folder(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a, b]\nimage_labels: labels.csv\n")
    values = folder_values(tmp_path / "data.yaml")
    assert values["image_labels"] == str(tmp_path / "labels.csv")
