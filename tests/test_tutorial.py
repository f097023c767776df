"""The tutorial's commands, in its order, on a tiny folder."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.program import TINY_PHOTOS, fewmask

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
TRAINS = ("train", "compare")


def photos(root: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("photos/images", "photos/masks", "new_photos"):
        (root / kind).mkdir(parents=True)
    for i in range(16):
        pixels = rng.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "photos" / "images" / f"p{i}.jpg")
        if i < 10:
            mask = np.tile(np.arange(50) > 20, (40, 1)).astype(np.uint8)
            Image.fromarray(mask).save(root / "photos" / "masks" / f"p{i}.png")
    shutil.copy(root / "photos" / "images" / "p0.jpg", root / "new_photos")


def test_the_tutorial_from_folder_to_prediction(tmp_path):
    photos(tmp_path)
    text = TUTORIAL.read_text()
    (draft,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    commands = [
        line
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.split("\n")
    ]
    commands = [shlex.split(line) for line in commands if line]
    assert [words[1] for words in commands] == [
        "check", "compare", "rank", "pseudo", "train", "report", "evaluate", "predict",
    ]  # fmt: skip
    for program, command, *words in commands:
        assert program == "fewmask"
        tiny = TINY_PHOTOS if command in TRAINS else ()
        printed = fewmask(command, *words, *tiny, cwd=tmp_path)
        if command == "check":
            file = tmp_path / "photos" / "data.yaml"
            named = re.sub(r"names: .*\n", draft, file.read_text())
            assert "ground" in named and "0 error(s)" in printed
            file.write_text(named)
        if command == "pseudo":
            corrected, _ = sorted((tmp_path / "pseudo" / "full").iterdir())
            shutil.copy(corrected, tmp_path / "photos" / "masks")
    labeled = (tmp_path / "runs/second/splits/labeled.txt").read_text().split()
    val = (tmp_path / "runs/second/splits/val.txt").read_text().split()
    assert corrected.stem in {*labeled, *val}
    for made in (
        "runs/first/report.html", "runs/first/comparison.png", "runs/second/report.html",
        "runs/first/fewmatch-seed0/rank/to_label.png", "predictions/masks/p0.png",
    ):  # fmt: skip
        assert (tmp_path / made).is_file()
