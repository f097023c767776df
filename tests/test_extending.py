"""docs/extending.md tells the truth: its code is run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.data import open_data
from fewmask.errors import UserError
from tests.conftest import TINY_WORDS

DOCS = Path(__file__).parent.parent / "docs" / "extending.md"


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Path:
    """A folder with the files of the document, as a user would save them."""
    method, source = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "my_lab.py").write_text(method)
    (tmp_path / "my_data.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_lab", raising=False)
    monkeypatch.delitem(sys.modules, "my_data", raising=False)
    return tmp_path


def fewmask(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fewmask", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_documented_method_trains_from_the_command_line(lab):
    words = [*TINY_WORDS, "method=my_lab:SoftTeacher", "method.ema_decay=0.9", "training.steps=2"]
    done = fewmask("train", "synthetic", "--out", "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "teacher" in done.stdout and (lab / "run/weights/best.pt").exists()
    again = fewmask("evaluate", "run", "--weights", "teacher")
    assert again.returncode == 0 and "mIoU" in again.stdout, again.stderr


def test_options_of_a_users_method_are_checked_like_ours(lab):
    with pytest.raises(
        UserError, match="method.ema_dekay: unknown option. Did you mean 'ema_decay'"
    ):
        recipe_from_words(["synthetic", "method=my_lab:SoftTeacher", "method.ema_dekay=0.9"])


def test_the_documented_data_source_opens(lab):
    for kind in ("photo", "label"):
        (lab / "fields" / kind).mkdir(parents=True)
    for i in range(7):
        Image.new("RGB", (30, 20)).save(lab / "fields" / "photo" / f"{i}.jpg")
        if i < 6:
            mask = np.full((20, 30), i % 3, np.uint8)
            Image.fromarray(mask).save(lab / "fields" / "label" / f"{i}.png")
    words = ["data=my_data:Fields", "data.root=fields", "data.long_side=15"]
    data = open_data(recipe_from_words(words).source())
    assert data.labeled.image(0).shape == (10, 15, 3)
    assert [len(x) for x in (data.labeled, data.unlabeled, data.val)] == [2, 1, 4]
    assert data.classes.names == ("soil", "crop", "weed")
