"""What a check found, for people and for programs."""

import json

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
