"""docs/extending.md tells the truth: its code is run as it stands there."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fewmask.batch import Batch, Labeled, Progress, Unlabeled
from fewmask.cli.words import recipe_from_words
from fewmask.data import open_data
from fewmask.errors import UserError
from fewmask.models import create_model
from fewmask.run_folder import checkpoint
from fewmask.run_folder.tables import read_table
from tests.conftest import TINY, TINY_WORDS

DOCS = Path(__file__).parent.parent / "docs" / "extending.md"
FILES = {
    "my_lab": "A method in one file",
    "my_decoder": "A decoder",
    "my_views": "A strong view",
    "my_data": "A data source",
    "my_sink": "A sink",
    "my_encoder": "An encoder",
    "my_pair": "A method with two networks",
    "my_noise": "A method that calls parts of its network",
}
"""The files that the document asks to save, and the sections that show them."""


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Path:
    """A folder with the files of the document, as a user would save them."""
    for module, section in FILES.items():
        (tmp_path / f"{module}.py").write_text(examples(section)[0])
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples(section: str) -> list[str]:
    """The pieces of Python in a section of the document."""
    text = DOCS.read_text().partition(f"# {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


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
        UserError, match="method.ema_dekay: unknown option. Did you mean 'method.ema_decay'"
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


def test_the_documented_sink_collects_the_scores_of_a_run(lab):
    words = [*TINY_WORDS, "method=supervised", "training.steps=2"]
    entry = 'logging.sinks=[{name: "my_sink:Scoreboard", file: all.jsonl}]'
    done = fewmask("train", "synthetic", "--out", "run", *words, entry)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (lab / "all.jsonl").read_text().splitlines()]
    assert [(row["run"], row["step"], row["network"]) for row in rows] == [
        ("run", 1, "student"),
        ("run", 2, "student"),
    ]
    table = read_table(lab / "run" / "results.csv")
    assert [float(row["miou"]) for row in table] == [round(row["miou"], 4) for row in rows]


def test_the_documented_decoder_trains_from_the_command_line(lab):
    words = [word for word in TINY_WORDS if "decoder" not in word]
    words += ["model.decoder=my_decoder:Linear", "model.decoder.channels=8", "training.steps=2"]
    words += ["method=pcr", "method.cells=4", "model.aux_head=true"]
    done = fewmask("train", "synthetic", "--out", "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    again = fewmask("evaluate", "run")  # best.pt names the decoder
    assert again.returncode == 0 and "mIoU" in again.stdout, again.stderr


def test_options_of_a_users_decoder_are_checked_like_ours(lab):
    with pytest.raises(
        UserError, match="decoder.chanels: unknown option.*'model.decoder.channels'"
    ):
        recipe_from_words(
            ["synthetic", "model.decoder=my_decoder:Linear", "model.decoder.chanels=8"]
        )


def test_the_documented_strong_view_keeps_shape_and_type(lab):
    sys.path.insert(0, str(lab))
    try:
        sepia = importlib.import_module("my_views").sepia
    finally:
        sys.path.remove(str(lab))
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    first, again = (sepia(image, np.random.default_rng(1)) for _ in range(2))
    assert first.shape == image.shape and first.dtype == np.uint8
    assert (first == again).all() and (first != image).any()


def test_a_method_asks_for_the_documented_strong_view(lab):
    checked = "        assert (colors != toned).any()\n        strong = toned"
    method = examples("A strong view")[1]
    assert "        strong = toned" in method
    (lab / "my_sepia.py").write_text(method.replace("        strong = toned", checked))
    words = [*TINY_WORDS, "method=my_sepia:SepiaTeacher", "training.steps=2"]
    done = fewmask("train", "synthetic", "--out", "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documented_encoder_trains_from_the_command_line(lab):
    words = [*TINY_WORDS, "method=supervised", "training.steps=2"]
    encoder = ["model.encoder=my_encoder:Plain", "model.output_stride=16"]
    done = fewmask("train", "synthetic", "--out", "run", *words, *encoder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documented_pair_starts_from_different_weights_and_trains_both(lab, student):
    done = fewmask(
        "train", "synthetic", "--out", "run", *TINY_WORDS, "method=my_pair:Pair", "training.steps=2"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    method = checkpoint.load(lab / "run" / "weights" / "last.pt")["method"]
    pairs = [(x, method[f"partner.{k[8:]}"]) for k, x in method.items() if k.startswith("student.")]
    assert any(not torch.equal(ours, theirs) for ours, theirs in pairs)
    rows = read_table(lab / "run" / "results.csv")
    assert {row["network"] for row in rows} == {"student", "partner"}


def test_the_documented_feature_noise_trains_in_bf16(lab):
    words = [*TINY_WORDS, "method=my_noise:FeatureNoise", "training.steps=2"]
    done = fewmask("train", "synthetic", "--out", "run", *words, "training.precision=bf16")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documented_pair_predicts_its_targets_without_gradients(lab, monkeypatch):
    monkeypatch.syspath_prepend(lab)
    kind = importlib.import_module("my_pair").Pair
    method = kind(lambda: create_model(TINY, 3), kind.Config(name="my_pair:Pair"))
    recorded = []
    for network in (method.student, method.partner):
        network.register_forward_hook(lambda *call: recorded.append(call[2].logits.requires_grad))
    image, mask = torch.randn(2, 3, 33, 33), torch.zeros(2, 33, 33, dtype=torch.int64)
    unlabeled = Unlabeled(image, (), mask == 0, torch.arange(2))
    method.step(Batch(Labeled(image, mask), unlabeled), lambda loss, over: True, Progress(0, 2, 1))
    assert recorded == [False, False, True, True, True, True]
