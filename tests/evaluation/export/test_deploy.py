"""docs/deploy.md tells the truth: its code is run as it stands there, without fewmask."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.evaluation.export.card import KEYS
from fewmask.evaluation.export.onnx_file import OPSET, describe
from tests.evaluation.export.conftest import photos

onnx = pytest.importorskip("onnx")
DOCS = Path(__file__).parents[3] / "docs" / "deploy.md"
if not DOCS.is_file():
    pytest.skip("only in a checkout", allow_module_level=True)

FORBIDDEN = "import sys\nsys.modules.update(dict.fromkeys(['fewmask', 'torch', 'cv2']))\n"
"""Whoever imports one of these after these lines gets an ImportError."""


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDEN + code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(onnx_made, tmp_path) -> Path:
    (tmp_path / "best.onnx").write_bytes(onnx_made.file.read_bytes())
    Image.fromarray(photos(1, 40, 56)[0]).save(tmp_path / "photo.jpg")
    return tmp_path


def test_the_documented_program_writes_our_mask(place, onnx_made):
    text = run(examples()[0], place)
    assert [line.partition(":")[0] for line in text.splitlines()] == ["a", "b", "c"]
    photo = np.asarray(Image.open(place / "photo.jpg"))
    expected = onnx_made.predictor.predict(photo).mask
    assert (np.asarray(Image.open(place / "mask.png")) == expected).all()


def test_the_documented_resizing_gives_a_mask_of_the_photos_size(place, onnx_made):
    model = onnx.load(place / "best.onnx")
    describe(model, {**onnx_made.card, "long_side": 28})
    onnx.save(model, place / "best.onnx")
    run("".join(examples()), place)
    mask = np.asarray(Image.open(place / "mask.png"))
    assert mask.shape == (40, 56)
    assert (mask == np.repeat(np.repeat(mask[::2, ::2], 2, axis=0), 2, axis=1)).all()


def test_the_page_names_every_piece_of_metadata_and_the_opset():
    text = DOCS.read_text(encoding="utf-8")
    assert {key for key in KEYS if f"`{key}`" not in text} == {"format"}
    assert f"opset {OPSET}" in text
