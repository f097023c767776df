"""What users break, and what must be left alone: one sentence each, no traceback."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask import api
from fewmask.config import validate
from fewmask.data import LoaderConfig
from fewmask.errors import UserError
from tests.links import link
from tests.program import TINY_PHOTOS, fewmask


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with `photos` and a finished `run` on it."""
    home = tmp_path_factory.mktemp("damage")
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (home / "photos" / kind).mkdir(parents=True)
    for i in range(9):
        pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(home / "photos/images" / f"p{i}.png")
        if i < 6:
            Image.fromarray(pixels[:, :, 0] % 2).save(home / "photos/masks" / f"p{i}.png")
    api.train(f"data={home}/photos", "method=imas", *TINY_PHOTOS, out=home / "run")
    return home


@pytest.fixture
def run(done, tmp_path) -> Path:
    """A copy of the run, to be damaged."""
    return shutil.copytree(done / "run", tmp_path / "run")


def test_overwriting_does_not_eat_the_weights_to_start_from(done, run):
    words = ("train", f"data={done}/photos", *TINY_PHOTOS, "--out", run, "--overwrite", "--weights")
    assert "There is no checkpoint" in fewmask(*words, run.parent / "missing.pt", code=2)
    assert "which the new run would empty" in fewmask(*words, run / "weights/last.pt", code=2)
    assert (run / "weights/last.pt").is_file() and (run / "results.csv").is_file()


def test_a_corrected_mask_is_kept_and_a_damaged_one_is_made_again(done, run, tmp_path):
    words = ("pseudo", run, "--threshold", 0.1, "--out", tmp_path / "pseudo")
    fewmask(*words)
    corrected, damaged, cut = sorted((tmp_path / "pseudo/masks").iterdir())
    Image.fromarray(np.ones((40, 50), np.uint8)).save(corrected)
    damaged.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:60])
    text = fewmask(*words)
    assert f"Kept: {corrected} was edited by hand" in text
    assert (np.asarray(Image.open(corrected)) == 1).all()
    assert all(Image.open(file).load() for file in (damaged, cut))
    damaged.write_text("mine")  # no picture at all: nothing that fewmask could have left
    fewmask(*words, "--overwrite")  # which replaces predictions, not what a person made of them
    assert (np.asarray(Image.open(corrected)) == 1).all() and damaged.read_text() == "mine"


def test_pictures_of_other_kinds_are_named(done, tmp_path):
    photos = shutil.copytree(done / "photos", tmp_path / "photos")
    Image.open(photos / "images/p8.png").save(photos / "images/p9.gif")
    text = fewmask("check", photos, code=1)
    assert (
        "1 file(s) are not read because of their kind or name (.gif)" in text and "p9.gif" in text
    )
    text = fewmask("predict", done / "run", photos / "images", "--out", tmp_path / "out")
    assert (
        "p9.gif (fewmask does not read this kind of image)" in text
        and "9 image(s) predicted" in text
    )


def test_linked_folders_are_followed_and_loops_end(done, tmp_path):
    photos = shutil.copytree(done / "photos", tmp_path / "photos")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(photos / "images/p8.png", other / "q.png")
    link(photos / "images/more", other)
    link(photos / "images/self", photos / "images")
    assert "4 unlabeled" in fewmask("check", photos, code=1)


@pytest.mark.parametrize("name", [b"m\xfcller.png", b"a\nb.png"])
def test_names_that_no_list_can_hold(name, done, tmp_path):
    photos = shutil.copytree(done / "photos", tmp_path / "photos")
    try:
        shutil.copy(photos / "images/p8.png", os.fsencode(photos / "images") + b"/" + name)
    except OSError:
        pytest.skip("this file system refuses such names")
    for words in (("check", photos), ("predict", done / "run", photos / "images", "--out", "o")):
        assert "Rename it" in fewmask(*words, cwd=tmp_path, code=2)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("training=5", "training=5: expected options"),
        ("training.steps.x=3", "training.steps"),
        ("seed=-1", "greater than or equal to 0"),
        ("loader.crop=0", "greater than or equal to 8"),
        ("data.long_side=-5", "greater than or equal to 1"),
        ("data.names=a", r"expected several values: [a, b]"),
        ("data.names=[true, false]", "Put it in quotes"),
        ("data.names=[null, coat]", "If it is the word null: put it in quotes"),
        ("data.names=[a, a]", "each once"),
    ],
)
def test_wrong_values(word, says, done):
    words = (f"data={done}/photos", *TINY_PHOTOS, "training.steps=2", word, "--dry-run")
    assert says in fewmask("train", *words, code=2)


@pytest.mark.parametrize("text", ["root:\n", "root: 5\n", "image_labels:\n"])
def test_a_yaml_file_with_a_path_that_is_none(text, done, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    assert "is not a path" in fewmask("check", tmp_path / "data.yaml", code=2)


def test_a_folder_may_be_named_like_a_date_or_a_number(done, tmp_path):
    for name in ("2024-05-01", "2024", "no", "1e3"):
        shutil.copytree(done / "photos", tmp_path / name)
        assert "labeled" in fewmask("check", name, cwd=tmp_path, code=1)


@pytest.mark.parametrize(
    ("file", "content", "words", "says"),
    [
        ("weights/best.pt", "hello", ("predict", "run", "photos/images"), "damaged"),
        ("weights/best.pt", "weights/last.pt", ("predict", "run", "photos/images"), "other one"),
        ("weights/last.pt", "weights/best.pt", ("train", "--resume", "run"), "other one"),
        ("weights/last.pt", "weights/best.pt", ("evaluate", "run", "--weights", "student"), "othe"),
        ("splits/facts.json", "", ("train", "--resume", "run"), "damaged"),
        ("splits/facts.json", "[]", ("train", "--resume", "run"), "damaged"),
    ],
)
def test_damaged_runs_are_one_sentence(file, content, words, says, done, run):
    (run / file).parent.mkdir(exist_ok=True)
    if content.startswith("weights/"):
        shutil.copy(run / content, run / file)
    else:
        (run / file).write_text(content)
    if not (run.parent / "photos").exists():
        shutil.copytree(done / "photos", run.parent / "photos")
    assert says in fewmask(*words, cwd=run.parent, code=2)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("results.csv", "xx,teacher,1,1"),
        ("metrics.jsonl", "5"),
        ("metrics.jsonl", "\udcff\udcfe"),
        ("hardness.csv", "3,p009,xx"),
        ("pseudo_labels.csv", "a"),
        ("times.csv", "3,x"),
    ],
)
def test_damaged_lines_are_passed_over(file, line, run):
    with (run / file).open("ab") as stream:
        stream.write(line.encode("utf-8", "surrogateescape") + b"\n")
    fewmask("report", run)
    fewmask("rank", run, "--by", "easiness")
    fewmask("train", "--resume", run)


def test_weights_of_one_network_have_no_others(done):
    words = (
        "predict",
        done / "run/weights/best.pt",
        done / "photos/images",
        "--weights",
        "student",
    )
    assert "holds one network" in fewmask(*words, "--out", done / "never", code=2)


def test_the_same_photo_twice_and_two_of_one_name(done, tmp_path):
    image = done / "photos/images/p0.png"
    words = ("predict", done / "run", done / "photos/images", image, "--out", tmp_path / "o")
    assert "9 image(s) predicted" in fewmask(*words)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        shutil.copy(image, tmp_path / place / "x.png")
    (tmp_path / "L.TXT").write_text("a/x.png\nb/x.png\ngone.png\n")
    text = fewmask("predict", done / "run", tmp_path / "L.TXT", "--out", tmp_path / "p", code=1)
    assert "2 image(s) predicted" in text and "gone.png" in text
    assert (tmp_path / "p/masks/a/x.png").is_file() and (tmp_path / "p/masks/b/x.png").is_file()
    both = ("predict", done / "run", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "q")
    assert "would both be written as 'x'" in fewmask(*both, code=2)
    assert "**" in fewmask("predict", done / "run", "a**b", "--out", tmp_path / "r", code=2)


def test_json_stays_json_when_a_draft_is_written(done, tmp_path, capsys):
    words = ("check", done / "photos", "--json", "--write", tmp_path / "d.yaml")
    text = fewmask(*words, code=1)
    assert json.loads(text[: text.rindex("}") + 1])["exit_code"] == 1


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_masks_of_unfit_kinds_are_told_what_to_become(kind, done, tmp_path):
    photos = shutil.copytree(done / "photos", tmp_path / "photos")
    for file in (photos / "masks").iterdir():
        mask = np.asarray(Image.open(file))
        mask = mask * 255 if kind == "jpg" else mask.astype(np.float32) / 2
        Image.fromarray(mask).save(file.with_suffix(f".{kind}"))
        file.unlink()
    text = fewmask("check", photos, code=2)
    assert "PNG" in text and "rare" not in text and text.count("error: ") <= 2


def test_a_comparison_goes_on_after_a_kill_in_its_first_moments(done, tmp_path):
    words = ("compare", f"data={done}/photos", *TINY_PHOTOS, "--methods", "supervised,imas")
    (tmp_path / "out/supervised-seed0/weights").mkdir(parents=True)
    assert "Report" in fewmask(*words, "--seeds", 1, "--out", tmp_path / "out")
    run = tmp_path / "out/imas-seed0"
    header = (run / "results.csv").read_text().splitlines()[0]
    (run / "results.csv").write_text(header + "\n")  # its last.pt is whole
    fewmask(*words, "--seeds", 1, "--out", tmp_path / "out")
    (run / "weights/last.pt").unlink()
    (run / "notes.txt").write_text("mine")
    fewmask(*words, "--seeds", 1, "--out", tmp_path / "out")
    assert (run / "notes.txt").read_text() == "mine" and (run / "weights/last.pt").is_file()


def test_a_config_still_says_what_is_wrong():
    with pytest.raises(UserError, match="loader.crop='x': Input should be a valid integer"):
        validate(LoaderConfig, {"crop": "x"}, "loader")
