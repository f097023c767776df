"""The draft of a data set's YAML file."""

import numpy as np
import pytest
import yaml
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.report.draft import write_draft
from fewmask.tasks.check import check
from tests.data import trees
from tests.photos import ten_photos
from tests.program import fewmask


def drafted(photos, file):
    write_draft(check(recipe_from_words([f"data={photos}"])), file)
    return yaml.safe_load(file.read_text())


def test_masks_of_classes_need_only_names(tmp_path):
    values = drafted(ten_photos(tmp_path), tmp_path / "data.yaml")
    assert values == {"root": "source", "names": ["class 0", "class 1"]}
    comments = (tmp_path / "data.yaml").read_text().splitlines()[0]
    assert comments.startswith("# warning: ")


def test_other_values_get_a_mapping(tmp_path):
    photos = ten_photos(tmp_path)
    for file in (photos / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) * 200 + 7).save(file)
    values = drafted(photos, tmp_path / "data.yaml")
    assert values["label_mapping"] == {7: 0, 207: 1} and values["names"] == ["class 0", "class 1"]


def test_an_existing_file_is_refused_before_anything_is_read(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text("mine")
    text = fewmask("check", ten_photos(tmp_path), "--write", file, code=2)
    assert text.strip() == f"Error: {file} exists. Remove it first, or give another name."
    text = fewmask("check", tmp_path / "source", "--write", tmp_path / "no" / "data.yaml", code=2)
    assert text.strip().endswith(f"there is no folder {tmp_path / 'no'}.")
    assert file.read_text() == "mine"


def test_existing_files_and_published_data_are_refused(tmp_path):
    found = check(recipe_from_words([f"data={ten_photos(tmp_path)}"]))
    (tmp_path / "data.yaml").write_text("mine")
    with pytest.raises(UserError, match="exists. Remove it first, or give another name"):
        write_draft(found, tmp_path / "data.yaml")
    words = ["data=camvid", f"data.root={trees.camvid(tmp_path / 'camvid')}", "data.labeled=2"]
    with pytest.raises(UserError, match="A published data set needs none"):
        write_draft(check(recipe_from_words(words)), tmp_path / "new.yaml")
