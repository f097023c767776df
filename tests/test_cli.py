"""The commands as a user types them."""

import contextlib
import csv
import io
import subprocess
import sys
import unittest.mock
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask import cli
from tests.conftest import TINY_WORDS

TINY_PHOTOS = (
    "loader.crop=32", "loader.labeled_batch=2", "loader.unlabeled_batch=2",
    "model.encoder=test_resnet", "model.decoder.channels=8", "machine.workers=0",
    "training.steps=3", "training.precision=fp32", "machine.accelerator=cpu",
)  # fmt: skip


def fewmask(*words: str | Path, cwd: Path | None = None, code: int = 0) -> str:
    """Runs a command, checks its exit code, gives back everything it printed."""
    printed, argv = io.StringIO(), ["fewmask", *map(str, words)]
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.chdir(cwd or Path()),
        unittest.mock.patch.object(sys, "argv", argv),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
        sys.exit(0)
    assert (ended.value.code or 0) == code, printed.getvalue()
    return printed.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A short iMAS run on photos of two sizes, shared by the tests below."""
    rng = np.random.default_rng(0)
    photos = tmp_path_factory.mktemp("cli") / "photos"
    for kind in ("images", "masks"):
        (photos / kind).mkdir(parents=True)
    for i in range(9):
        height, width = (40, 60) if i % 2 else (50, 50)
        image = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
        Image.fromarray(image).save(photos / "images" / f"p{i}.jpg")
        if i < 5:
            mask = np.tile(np.arange(width) > 20, (height, 1)).astype(np.uint8)
            Image.fromarray(mask).save(photos / "masks" / f"p{i}.png")
    text = fewmask("train", f"data={photos}", "method=imas", *TINY_PHOTOS, cwd=photos.parent)
    assert "held out" in text and "Done." in text
    return photos.parent / "runs" / "folder-imas-001"


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['fewmask', '--help']\n"
        "from fewmask.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'timm', 'cv2', 'numpy'} & set(sys.modules), 'heavy imports'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("demo", "train", "evaluate", "predict", "info"):
        assert command in done.stdout


def test_the_run_folder_holds_everything(run):
    files = {f.relative_to(run).as_posix() for f in run.rglob("*") if f.is_file()}
    assert files >= {
        "recipe.yaml", "env.json", "train.log", "results.csv", "metrics.jsonl", "per_class.csv",
        "hardness.csv", "weights/last.pt", "weights/best.pt", "splits/labeled.txt",
        "splits/unlabeled.txt", "splits/val.txt",
    }  # fmt: skip
    with (run / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["network"] for row in rows} == {"teacher", "student"}
    assert {row["step"] for row in rows} == {"1", "2", "3"}
    with (run / "hardness.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            assert 0 <= float(row["easiness"]) <= 1
            assert float(row["easiness"]) + float(row["hardness"]) == pytest.approx(1)


def test_the_written_recipe_is_valid_input(run, tmp_path):
    text = fewmask("train", run / "recipe.yaml", "--print-config", cwd=run.parent.parent)
    assert text.strip() == (run / "recipe.yaml").read_text().strip()


def test_evaluate_prints_every_class(run):
    base = run.parent.parent
    text = fewmask("evaluate", run, "evaluation.flip=true", cwd=base)
    assert "class 0" in text and "class 1" in text and "mIoU" in text and "chosen on" in text
    assert "student" in fewmask("evaluate", run, "--weights", "student", cwd=base)
    text = fewmask("evaluate", run, "--weights", "pupil", cwd=base, code=2)
    assert "no network 'pupil'" in text


def test_predict_writes_masks_overlays_and_confidence_of_any_size(run, tmp_path):
    photos = run.parent.parent / "photos" / "images"
    text = fewmask("predict", run, photos, "--out", tmp_path / "a")
    assert "9 image(s) predicted" in text
    for kind, suffix in (("masks", "png"), ("overlays", "jpg"), ("confidence", "png")):
        written = sorted((tmp_path / "a" / kind).iterdir())
        assert [f.name for f in written] == [f"p{i}.{suffix}" for i in range(9)]
        for file in written:
            assert Image.open(file).size == Image.open(photos / f"{file.stem}.jpg").size
    mask = Image.open(tmp_path / "a" / "masks" / "p0.png")
    assert mask.mode == "P" and set(np.unique(mask)) <= {0, 1}
    best = run / "weights" / "best.pt"  # enough without the run folder, with a pattern of images
    fewmask("predict", best, f"{photos}/p[01].jpg", "--out", tmp_path / "b")
    assert len(list((tmp_path / "b" / "masks").iterdir())) == 2


def test_predict_leaves_out_what_it_cannot_read_and_says_so(run, tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (33, 21), 90).save(tmp_path / "in" / "grey.png")
    Image.new("CMYK", (20, 20)).save(tmp_path / "in" / "ink.jpg")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no image")
    text = fewmask("predict", run, tmp_path / "in", "--out", tmp_path / "out", code=1)
    assert "broken.jpg" in text and "2 image(s) predicted" in text
    assert "no folder, list or image" in fewmask("predict", run, tmp_path / "x*", code=2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "synthetic", "training.stepz=3"], "Did you mean 'steps'"),
        (["train"], "Which images?"),
        (["train", "data=nowhere"], "no such folder"),
        (["train", "--resume", "nowhere"], "not a run folder"),
        (["train", "synthetic", "--resume", "nowhere"], "cannot be given"),
        (
            ["train", "synthetic", "loader.labeled_batch=3", "training.accumulate=2"],
            "multiple of 2",
        ),
        (["train", "synthetic", "loader.labeled_batch=1"], "one image to normalise"),
        (["train", "synthetic", "--weights", "nowhere.pt"], "no checkpoint"),
        (["predict", "nowhere", "images"], "no folder, list or image"),
        (["evaluate", "nowhere"], "not a run folder"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(words, expected, tmp_path):
    text = fewmask(*words, cwd=tmp_path, code=2)
    assert expected in text and text.count("Error:") == 1
    assert not list(tmp_path.rglob("*.pt"))


def test_a_run_is_not_overwritten(run):
    text = fewmask("train", "synthetic", "--out", run, code=2)
    assert "--overwrite" in text and "--resume" in text


def test_dry_run_writes_nothing(tmp_path):
    text = fewmask("train", "synthetic", *TINY_WORDS, "--dry-run", cwd=tmp_path)
    assert "s per step" in text and "GiB" in text
    assert not list(tmp_path.iterdir())


def test_info():
    text = fewmask("info")
    for word in ("torch", "imas", "camvid", "synthetic"):
        assert word in text


@pytest.mark.slow
def test_demo_ends_with_a_table_and_a_picture(tmp_path):
    words = [*TINY_WORDS, "training.steps=2", "--seeds", "2", "--methods", "supervised,imas"]
    text = fewmask("demo", *words, cwd=tmp_path)
    assert "mIoU" in text and "demo.png" in text
    picture = Image.open(tmp_path / "runs" / "demo" / "demo.png")
    assert picture.width > 500 and picture.height > 300
    assert (tmp_path / "runs/demo/imas-seed1/weights/best.pt").exists()


def test_demo_names_an_unknown_method_before_it_trains(tmp_path):
    error = fewmask("demo", "--methods", "supervised,psr", cwd=tmp_path, code=2)
    assert "method.name=psr: unknown method. Did you mean 'pcr'?" in error
    assert not (tmp_path / "runs").exists()


def test_image_labels_from_the_command_line(run, tmp_path):
    """PseudoSeg in its weakly labeled mode, on the photos of `run`."""
    photos = run.parent.parent / "photos"
    rows = "".join(f"p{i}.jpg,class {i % 2}\n" for i in range(9))
    (tmp_path / "labels.csv").write_text("image,classes\n" + rows)
    words = ["method=pseudoseg", f"data.image_labels={tmp_path / 'labels.csv'}", *TINY_PHOTOS]
    assert "Done." in fewmask("train", f"data={photos}", *words, cwd=tmp_path)
    (tmp_path / "labels.csv").write_text("p0,class 1\n")
    error = fewmask("train", f"data={photos}", *words, cwd=tmp_path, code=2)
    assert "does not name the unlabeled image" in error


def test_prototypes_predict_too(run, tmp_path):
    photos = run.parent.parent / "photos"
    words = ["method=pcr", "method.cells=8", "method.warmup_epochs=1", *TINY_PHOTOS]
    text = fewmask("train", f"data={photos}", *words, "--out", tmp_path / "pcr", cwd=tmp_path)
    assert "prototype" in text
    images = photos / "images" / "p0.jpg"
    words = [tmp_path / "pcr", images, "--out", tmp_path / "out", "--weights", "prototype"]
    assert "1 image(s) predicted" in fewmask("predict", *words, cwd=tmp_path)
