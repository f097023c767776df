"""A disk that is full, a file that vanishes: one sentence, no traceback, nothing broken."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fewmask
from fewmask.run_folder import checkpoint
from tests.conftest import TINY_WORDS


def limited(*words, cwd, room):
    """Runs a command that can write no file larger than `room` bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="the system cannot limit the size of files")
    done = subprocess.run(
        [sys.executable, "-m", "fewmask", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("room") / "run"
    return fewmask.train("synthetic", *TINY_WORDS, "training.steps=2", out=out).folder


def test_training_stops_with_a_sentence_and_leaves_the_last_checkpoint_whole(run, tmp_path):
    done = limited(
        "train",
        "synthetic",
        *TINY_WORDS,
        "training.steps=2",
        "--out",
        "full",
        cwd=tmp_path,
        room=12_000,
    )
    assert done.returncode == 2 and "Cannot write the checkpoint" in done.stderr
    assert "File too large" in done.stderr and "--resume" in done.stderr
    assert not list((tmp_path / "full" / "weights").iterdir())
    before = checkpoint.load(run / "weights" / "last.pt")["step"]
    limited("train", "--resume", run, cwd=tmp_path, room=12_000)
    assert checkpoint.load(run / "weights" / "last.pt")["step"] == before


@pytest.mark.parametrize("format", ["safetensors", "torchscript"])
def test_an_export_without_room_says_so_and_leaves_nothing(format, run, tmp_path):
    done = limited(
        "export", run, "--format", format, "--out", f"a.{format}", cwd=tmp_path, room=800
    )
    assert done.returncode == 2 and "File too large" in done.stderr, done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["report", "rank", "pseudo", "predict", "split"])
def test_other_commands_say_so_too(command, run, tmp_path):
    if command == "split" and not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "a.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(noise[:, :, 0] % 2).save(tmp_path / "masks" / "a.png")
    words = {
        "report": (run, "--out", "page.html"),
        "rank": (run, "--out", "rank"),
        "pseudo": (run, "--out", "pseudo"),
        "predict": (run, "photos", "--out", "out"),
        "split": ("synthetic", "--size", "3", "--out", "/dev/full"),
    }[command]
    done = limited(command, *words, cwd=tmp_path, room=800)
    assert done.returncode == 2 and "Error: " in done.stderr, done.stdout + done.stderr
    halves = [file for file in tmp_path.rglob("*.png") if file.parent.parent.name == "out"]
    assert all(Image.open(file).load() for file in halves)


def test_a_photo_that_vanishes_while_it_trains_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    for kind, count, picture in (("images", 6, noise), ("masks", 3, noise[:, :, 0] % 2)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(picture).save(tmp_path / "photos" / kind / f"{i}.png")
    code = f"""
import fewmask, pathlib
from fewmask.engine.trainer import Trainer
run = Trainer.run
def run_without(self, **options):
    pathlib.Path({str(tmp_path)!r}, "photos/images/5.png").unlink()
    return run(self, **options)
Trainer.run = run_without
words = ["data={tmp_path}/photos", "model.encoder=test_resnet", "loader.crop=32"]
words += ["loader.labeled_batch=2", "loader.unlabeled_batch=2", "training.steps=9"]
words += ["model.pretrained=false"]
try:
    fewmask.train(*words, "machine.workers=1", out={str(tmp_path / "run")!r})
except fewmask.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1].startswith("There is no image") and "5.png" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
