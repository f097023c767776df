"""What a check found, for people and for programs."""

import json

import numpy as np
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.tasks.check import check
from tests.photos import ten_photos


def test_words_and_json_say_the_same(tmp_path):
    photos = ten_photos(tmp_path)
    found = check(recipe_from_words([f"data={photos}"]))
    lines = found.in_words().splitlines()
    assert lines[0] == "5 labeled, 4 unlabeled, 1 val images"
    assert "classes in labeled images: share of the pixels, images" in lines
    bar = next(line for line in lines if line.startswith("    class 1"))
    assert bar.split()[2:] == ["58.00%", "5", "#" * 23]
    assert lines[-1] == "0 error(s), 1 warning(s)." and found.exit_code == 1
    printed = json.loads(json.dumps(found.as_dict()))
    assert printed["images"] == {"labeled": 5, "unlabeled": 4, "val": 1}
    assert printed["classes"]["labeled"]["class 1"] == {"share": 0.58, "images": 5}
    assert printed["exit_code"] == 1 and printed["findings"][0]["level"] == "warning"


def test_the_table_shows_the_largest_of_many_classes(tmp_path):
    photos = ten_photos(tmp_path)
    columns = np.tile(np.arange(200, dtype=np.uint8) // 4, (40, 1))
    for file in (photos / "masks").iterdir():
        Image.fromarray(columns).save(file)
        Image.fromarray(columns).save(photos / "images" / file.name)
    found = check(recipe_from_words([f"data={photos}"]))
    text = found.in_words()
    assert "    class 0    2.00%      5  " in text and len(text.splitlines()) < 65
    assert text.count("and 30 smaller classes (--json shows all)") == 2
    assert len(found.as_dict()["classes"]["labeled"]) == 50


def test_in_doubt_no_classes_are_counted(tmp_path):
    photos = ten_photos(tmp_path)
    for file in (photos / "masks").iterdir():
        mask = np.array(Image.open(file)) * 128
        mask[:5] = 255
        Image.fromarray(mask).save(file)
    text = check(recipe_from_words([f"data={photos}"])).in_words()
    assert "hold the values 0, 128, 255" in text and "1 error(s), 1 warning(s)." in text
    assert "classes in" not in text and "No labeled image shows" not in text
    assert len(text.splitlines()) < 12
