"""The commands as a user types them."""

import contextlib
import csv
import io
import json
import shutil
import subprocess
import sys
import unittest.mock
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask import cli
from tests.conftest import TINY_WORDS
from tests.data import trees

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


def test_an_option_given_twice_in_a_row_is_refused(tmp_path):
    words = ["train", "data=photos", "data.pool=0.tar", "data.pool=1.tar"]
    text = fewmask(*words, cwd=tmp_path, code=2)
    assert "data.pool is given twice: 0.tar and 1.tar" in text and "quote" in text
    text = fewmask("train", "synthetic", "seed=1", "seed=2", "--print-config", cwd=tmp_path)
    assert "seed: 2" in text


def test_the_written_recipe_is_valid_input(run, tmp_path):
    text = fewmask("train", run / "recipe.yaml", "--print-config", cwd=run.parent.parent)
    assert text.strip() == (run / "recipe.yaml").read_text().strip()


def test_evaluate_prints_every_class(run):
    base = run.parent.parent
    text = fewmask("evaluate", run, "evaluation.flip=true", cwd=base)
    assert "class 0" in text and "class 1" in text and "mIoU" in text and "chosen on" in text
    assert "student" in fewmask("evaluate", run, "--weights", "student", cwd=base)
    closely = fewmask("evaluate", run, "--closely", cwd=base)
    plain = fewmask("evaluate", run, cwd=base)
    assert "boundary IoU" in closely and "calibration error" in closely
    assert [line for line in plain.splitlines() if line.startswith("mIoU")][0] in closely
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
    Image.new("L", (33, 21), 90).save(tmp_path / "in" / "gray.png")
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
        (["train", "synthetic", "--resume", "nowhere"], "cannot be combined"),
        (
            ["train", "synthetic", "loader.labeled_batch=3", "training.accumulate=2"],
            "multiple of 2",
        ),
        (["train", "synthetic", "loader.labeled_batch=1"], "one image to normalize"),
        (["train", "synthetic", "--weights", "nowhere.pt"], "no checkpoint"),
        (["predict", "nowhere", "images"], "nowhere is not a run folder"),
        (["evaluate", "nowhere"], "not a run folder"),
        (["results", "nowhere"], "not the folder of a run"),
        (["recipes", "voc/imass"], "Did you mean 'voc/imas'"),
        (["prepare", "vok", "--root", "."], "Did you mean 'voc'"),
        (["prepare", "voc", "--root", "."], "VOCtrainval_11-May-2012.tar"),
        (["prepare", "cityscapes", "--root", ".", "--download"], "cannot be downloaded"),
        (["split"], "a list file to recognize"),
        (["split", "nowhere.txt"], "Cannot read the list"),
        (["split", "--published", "voc/92"], "no published list"),
        (["split", "data=synthetic", "--size", "5", "--how", "best"], "random, balanced, every"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(words, expected, tmp_path):
    text = fewmask(*words, cwd=tmp_path, code=2)
    assert expected in text and text.count("Error:") == 1
    assert not list(tmp_path.glob("runs/*"))  # not even an empty run folder


def test_a_run_is_not_overwritten(run):
    text = fewmask("train", "synthetic", "--out", run, code=2)
    assert "--overwrite" in text and "--resume" in text


def test_dry_run_writes_nothing(tmp_path):
    text = fewmask("train", "synthetic", *TINY_WORDS, "--dry-run", cwd=tmp_path)
    assert "s per step" in text and "GiB" in text
    assert not list(tmp_path.iterdir())


def test_an_interrupted_prediction_goes_on_and_keeps_what_is_there(run, tmp_path):
    photos = run.parent.parent / "photos" / "images"
    fewmask("predict", run, photos, "--out", tmp_path / "a", "--shard", "1/3")
    first = sorted((tmp_path / "a" / "masks").iterdir())
    assert [f.stem for f in first] == ["p0", "p3", "p6"]
    before = first[0].stat().st_mtime_ns
    first[1].unlink()  # a kill came before it
    text = fewmask("predict", run, photos, "--out", tmp_path / "a")
    assert "9 image(s) predicted (2 of them earlier)" in text
    assert first[0].stat().st_mtime_ns == before
    assert len(list((tmp_path / "a" / "masks").iterdir())) == 9
    error = fewmask("predict", run, photos, "--out", tmp_path / "a", "--weights", "student", code=2)
    assert "predictions of other weights" in error and "--overwrite" in error
    fewmask("predict", run, photos, "--out", tmp_path / "a", "--weights", "student", "--overwrite")
    for shard in ("0/3", "4/3", "x", "1"):
        assert "expected i/n" in fewmask("predict", run, photos, "--shard", shard, code=2)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("data.label_mapping={7: 0, 200: 1}", {7, 200}),
        ("data.label_mapping={0: 0, 1000: 1}", {0, 1000}),
    ],
)
def test_predicted_masks_hold_the_users_own_values(option, values, run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    low, high = sorted(values)
    for file in (photos / "masks").iterdir():
        mask = np.where(np.asarray(Image.open(file)) > 0, high, low).astype(np.uint16)
        Image.fromarray(mask).save(file)
    words = (f"data={photos}", "data.names=[a, b]", option, *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    fewmask(
        "predict", tmp_path / "runs/folder-imas-001", photos / "images", "--out", tmp_path / "o"
    )
    found = {int(v) for f in (tmp_path / "o/masks").iterdir() for v in np.unique(Image.open(f))}
    assert found and found <= values


def test_pseudo_labels_become_labels_of_the_next_run(run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    words = (f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    first = tmp_path / "runs" / "folder-imas-001"
    text = fewmask("pseudo", first, "--threshold", "0.6", "--out", tmp_path / "pseudo")
    assert "4 image(s) predicted" in text
    for file in (tmp_path / "pseudo" / "masks").iterdir():
        mask = np.asarray(Image.open(file))
        sure = np.asarray(Image.open(tmp_path / "pseudo" / "confidence" / file.name)) >= 0.61 * 255
        assert set(np.unique(mask)) <= {0, 1, 255} and (mask[sure] != 255).all()
    shutil.copy(tmp_path / "pseudo/masks/p7.png", photos / "masks")  # reviewed
    fewmask("train", *words, cwd=tmp_path)
    lists = [
        (tmp_path / "runs" / f"folder-imas-00{i}" / "splits" / "unlabeled.txt").read_text().split()
        for i in (1, 2)
    ]
    assert "p7" in lists[0] and "p7" not in lists[1]
    assert "--threshold=2" in fewmask("pseudo", first, "--threshold", "2", code=2)


def test_predictions_never_overwrite_what_is_not_theirs(run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    for extra in ((), ("--overwrite",)):
        error = fewmask("predict", run, photos / "images", "--out", photos, *extra, code=2)
        assert "exists and was not written by fewmask" in error
    fewmask("predict", run, photos / "images" / "p0.jpg", "--out", tmp_path / "o")
    Image.new("RGB", (33, 22)).save(photos / "images" / "p0.jpg")  # another photo, the same name
    text = fewmask("predict", run, photos / "images" / "p0.jpg", "--out", tmp_path / "o")
    assert "before" not in text
    assert Image.open(tmp_path / "o" / "masks" / "p0.png").size == (33, 22)


@pytest.mark.parametrize(
    ("options", "no_label"),
    [(("data.ignore=[0]", "data.label_mapping={1: 0, 2: 1}"), 0), (("data.ignore=[9]",), 9)],
)
def test_unsure_pixels_are_written_as_the_users_own_no_label(options, no_label, run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    for file in (photos / "masks").iterdir():
        mask = np.asarray(Image.open(file)) + (1 if no_label == 0 else 0)
        Image.fromarray(mask.astype(np.uint8)).save(file)
    words = (f"data={photos}", "data.names=[a, b]", *options, *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    first = tmp_path / "runs/folder-imas-001"
    fewmask("pseudo", first, "--threshold", "0.99", "--out", tmp_path / "pseudo")
    shutil.copy(tmp_path / "pseudo/masks/p7.png", photos / "masks")
    assert (np.asarray(Image.open(photos / "masks" / "p7.png")) == no_label).mean() > 0.5
    fewmask("train", *words, cwd=tmp_path)


def test_masks_without_a_no_label_value_cannot_say_unsure(run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    for file in (photos / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) * 255).save(file)
    mapping = ("data.label_mapping={0: 0, 255: 1}", "data.ignore=[]")
    fewmask("train", f"data={photos}", "data.names=[a, b]", *mapping, *TINY_PHOTOS, cwd=tmp_path)
    text = fewmask("pseudo", tmp_path / "runs/folder-imas-001", "--out", tmp_path / "p", code=2)
    assert "no value that means 'no label'" in text


def test_runs_can_be_used_from_another_folder(tmp_path):
    shutil.copytree(ten_photos(tmp_path), tmp_path / "a" / "photos")
    words = ("data=photos", "data.names=[a, b]", *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path / "a")
    (tmp_path / "b").mkdir()
    inside = "../a/runs/folder-imas-001"
    for command in ("evaluate", "report"):
        fewmask(command, inside, cwd=tmp_path / "b")
    fewmask("train", "--resume", inside, "training.steps=4", cwd=tmp_path / "b")
    (tmp_path / "a" / "photos").rename(tmp_path / "moved")
    moved = f"data.root={tmp_path / 'moved'}"
    fewmask("train", "--resume", inside, "training.steps=5", moved, cwd=tmp_path / "b")
    error = fewmask("train", "--resume", inside, "training.steps=2", cwd=tmp_path / "b", code=2)
    assert "has already taken 5 steps" in error


def ten_photos(tmp_path: Path) -> Path:
    """Ten photos, six with masks of two classes."""
    rng = np.random.default_rng(1)
    for kind in ("images", "masks"):
        (tmp_path / "source" / kind).mkdir(parents=True)
    for i in range(10):
        pixels = rng.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "source" / "images" / f"p{i}.png")
        if i < 6:
            mask = np.tile(np.arange(50) > 20, (40, 1)).astype(np.uint8)
            Image.fromarray(mask).save(tmp_path / "source" / "masks" / f"p{i}.png")
    return tmp_path / "source"


def test_a_run_is_scored_on_its_own_validation_images_after_masks_were_added(tmp_path):
    photos = ten_photos(tmp_path)
    fewmask("train", f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, cwd=tmp_path)
    first = tmp_path / "runs/folder-imas-001"
    before = fewmask("evaluate", first, cwd=tmp_path)
    for i in (6, 7, 8, 9):
        shutil.copy(photos / "masks" / "p0.png", photos / "masks" / f"p{i}.png")
    Image.new("RGB", (50, 40)).save(photos / "images" / "p10.png")  # one stays unlabeled
    after = fewmask("evaluate", first, cwd=tmp_path)
    assert after.splitlines()[-4:] == before.splitlines()[-4:]
    held_out = (first / "splits" / "val.txt").read_text().split()[0]
    (photos / "masks" / f"{held_out}.png").unlink()
    assert "are missing today" in fewmask("evaluate", first, cwd=tmp_path, code=2)


def test_a_comparison_notices_that_its_data_changed(tmp_path):
    photos = ten_photos(tmp_path)
    words = ("compare", f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, "--seeds", "1")
    fewmask(*words, cwd=tmp_path)
    shutil.copy(photos / "masks" / "p0.png", photos / "masks" / "p6.png")
    assert "have changed since the run began" in fewmask(*words, cwd=tmp_path, code=2)


def test_lists_are_drawn_and_recognized(run, tmp_path):
    photos = run.parents[1] / "photos"
    text = fewmask("split", f"data={photos}", "--size", "1/2,1", "--how", "balanced", cwd=tmp_path)
    assert "1 of 4 images" in text and "validation images were left alone" in text
    lists = sorted(f.name for f in (tmp_path / "splits").iterdir())
    assert lists == ["balanced_1_2_seed0.txt", "balanced_1_seed0.txt"]
    text = fewmask("split", tmp_path / "splits" / lists[1])
    assert "1 images" in text and "none of the published lists" in text
    words = (f"data={photos}", f"data.labeled={tmp_path / 'splits' / lists[0]}", *TINY_PHOTOS)
    assert "Done." in fewmask("train", *words, cwd=tmp_path)


def test_results_of_a_run(run):
    text = fewmask("results", run)
    assert "teacher" in text and "student" in text and "selected on val" in text


def test_recipes_list_published_scores_and_print_one():
    text = fewmask("recipes")
    assert "voc/unimatch/92" in text and "68.78" in text
    assert "# iMAS on PASCAL VOC" in fewmask("recipes", "voc/imas")


def test_prepare_says_what_differs_from_the_published_data(tmp_path):
    voc = trees.voc(tmp_path / "voc")
    text = fewmask("prepare", "voc", "--root", voc, code=1)
    assert "7 training images, but 10582 were published" in text


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
    assert "--methods: unknown method 'psr'. Did you mean 'pcr'?" in error
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


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    """Neither its files are removed, nor, when training cannot begin, the folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.csv").write_text("years of work")
    text = fewmask("train", "synthetic", *TINY_WORDS, "--out", tmp_path / "mine", code=2)
    assert "holds other files and no run" in text
    assert (tmp_path / "mine" / "results.csv").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    wrong = ("method=pcr", "method.cells=64", "--out", tmp_path / "empty")
    fewmask("train", "synthetic", *TINY_WORDS, *wrong, code=2)
    assert (tmp_path / "empty").is_dir()


def test_overwriting_a_run_leaves_nothing_of_it(tmp_path):
    words = ("train", "synthetic", *TINY_WORDS, "training.steps=1", "--out", tmp_path / "run")
    fewmask(*words, "method=imas")
    fewmask("report", tmp_path / "run")
    fewmask("rank", tmp_path / "run")
    fewmask(*words, "method=supervised", "--overwrite")
    left = {file.name for file in (tmp_path / "run").iterdir()}
    assert not left & {"plots", "rank", "report.html", "hardness.csv", "pseudo_labels.csv"}
    assert {"results.csv", "recipe.yaml", "weights", "splits"} <= left


def test_predictions_inside_the_photos_folder_are_no_photos(run, tmp_path):
    shutil.copytree(run.parent.parent / "photos" / "images", tmp_path / "new")
    words = ("predict", run, tmp_path / "new", "--out", tmp_path / "new" / "predictions")
    assert "9 image(s) predicted" in fewmask(*words)
    assert "9 image(s) predicted (9 of them earlier)" in fewmask(*words)


def test_a_profile_says_what_a_step_spends_its_time_on(tmp_path):
    words = ("training.steps=14", "training.evaluate_every=4", "method=imas", "--profile")
    fewmask("train", "synthetic", *TINY_WORDS, *words, "--out", tmp_path / "run")
    lines = (tmp_path / "run/profile.txt").read_text().splitlines()
    spent = {line.split()[0]: float(line.split()[1]) for line in lines[1:8]}
    assert [*spent] == ["data", "forward", "losses", "backward", "optimizer", "EMA", "logging"]
    assert all(value > 0 for value in spent.values())
    assert lines[0].endswith("mean of 10 steps") and "ms each" in "".join(lines[8:12])
    trace = json.loads((tmp_path / "run/profile_trace.json").read_text())
    assert any(event.get("name") == "fewmask backward" for event in trace["traceEvents"])


@pytest.mark.parametrize(("steps", "seen"), [(5, 3), (2, None)])
def test_a_profile_of_a_short_run_counts_the_steps_it_saw(steps, seen, tmp_path):
    out = tmp_path / "run"
    words = (f"training.steps={steps}", "method=supervised", "--profile", "--out", out)
    text = fewmask("train", "synthetic", *TINY_WORDS, *words)
    assert ("Profile:" in text) == (seen is not None)
    if seen is not None:
        assert f"mean of {seen} steps" in (out / "profile.txt").read_text()
    assert "--profile cannot be combined with it" in fewmask(
        "train", "--resume", out, "--profile", code=2
    )
