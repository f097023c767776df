"""The command that trains one model; and recipes, info."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from fewmask.methods.supervised import Supervised
from fewmask.recipes.recipe import FIRST_LINE, LAST_LINE
from fewmask.run_folder.lock import one_writer
from tests.conftest import TINY_WORDS
from tests.photos import ten_photos
from tests.program import TINY_PHOTOS, fewmask


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
    written = (run / "recipe.yaml").read_text()
    assert written.splitlines() == [FIRST_LINE, *text.strip().splitlines(), LAST_LINE]


def test_a_run_is_not_overwritten(run):
    text = fewmask("train", "synthetic", "--out", run, code=2)
    assert "--overwrite" in text and "--resume" in text


def test_dry_run_writes_nothing(tmp_path):
    text = fewmask("train", "synthetic", *TINY_WORDS, "--dry-run", cwd=tmp_path)
    assert "s per step" in text and "GiB" in text
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_a_long_run_says_so_and_what_to_try(tmp_path):
    short = fewmask("train", "synthetic", *TINY_WORDS, "training.steps=9", "--dry-run")
    assert "for 9 steps; peak memory" in short and "take long" not in short
    text = fewmask("train", "synthetic", *TINY_WORDS, "training.steps=9000000", "--dry-run")
    assert "s per step; peak memory" in text
    assert "This will take long: 9,000,000 steps take about" in text
    assert "on this CPU" in text and "try training.steps=" in text and "loader.crop" in text


def test_runs_can_be_used_from_another_folder(tmp_path):
    shutil.copytree(ten_photos(tmp_path), tmp_path / "a" / "photos")
    words = ("data=photos", "data.names=[a, b]", *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path / "a")
    (tmp_path / "b").mkdir()
    inside = "../a/runs/folder-fewmatch-001"
    for command in ("evaluate", "report"):
        fewmask(command, inside, cwd=tmp_path / "b")
    fewmask("train", "--resume", inside, "training.steps=4", cwd=tmp_path / "b")
    (tmp_path / "a" / "photos").rename(tmp_path / "moved")
    moved = f"data.root={tmp_path / 'moved'}"
    fewmask("train", "--resume", inside, "training.steps=5", moved, cwd=tmp_path / "b")
    error = fewmask("train", "--resume", inside, "training.steps=2", cwd=tmp_path / "b", code=2)
    assert "has already taken 5 steps" in error


def test_recipes_list_published_scores_and_print_one():
    text = fewmask("recipes")
    assert "voc/unimatch/92" in text and "68.78" in text
    text = fewmask("recipes", "voc/imas")
    assert "# iMAS on PASCAL VOC" in text and yaml.safe_load(text)["method"]["name"] == "imas"
    command = "fewmask train voc/imas data.root=VOC data.labeled=voc/cps/2646"
    settings = "model.output_stride=8 training.reference_devices=8"
    assert f"# 77.10  {command} model.encoder=resnet50s {settings}\n" in text
    assert f"# 79.30  {command} {settings}\n" in text
    assert "# The commands" not in fewmask("recipes", "synthetic")


def test_the_rows_of_an_ablation_are_commands():
    lines = fewmask("recipes", "--ablation", "imas").splitlines()
    start = "fewmask train voc/imas data.root=VOC data.labeled=voc/unimatch/92"
    assert lines[:2] == ["# iMAS", start]
    row = lines.index("# adaptive loss weight alone")
    ablation = "method.ablation."
    assert lines[row + 1] == (
        f"{start} {ablation}full_intensity=true {ablation}cutmix_probability=0"
    )
    assert "Did you mean 'pseudoseg'?" in fewmask("recipes", "--ablation", "pseudoseq", code=2)
    both = fewmask("recipes", "voc/imas", "--ablation", "imas", code=2)
    assert "the recipe voc/imas cannot be printed too" in both


def test_info():
    text = fewmask("info")
    for word in ("torch", "imas", "camvid", "synthetic", "deeplabv3plus", "tensorboard"):
        assert word in text


def test_image_labels_from_the_command_line(run, tmp_path):
    """PseudoSeg in its weakly labeled mode, on the photos of `run`."""
    photos = run.parent.parent / "photos"
    both = "".join(f"p{i}.jpg,class 0;class 1\n" for i in range(5))  # as their masks show
    rows = both + "".join(f"p{i}.jpg,class {i % 2}\n" for i in range(5, 9))
    (tmp_path / "labels.csv").write_text("image,classes\n" + rows)
    words = ["method=pseudoseg", f"data.image_labels={tmp_path / 'labels.csv'}", *TINY_PHOTOS]
    assert "Done." in fewmask("train", f"data={photos}", *words, cwd=tmp_path)
    (tmp_path / "labels.csv").write_text("p0,class 1\n")
    error = fewmask("train", f"data={photos}", *words, cwd=tmp_path, code=2)
    assert "does not name the unlabeled image" in error


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


def test_the_recipe_of_a_resumed_run_can_be_printed_and_rehearsed(run):
    text = fewmask("train", "--resume", run, "training.log_every=7", "--print-config")
    assert yaml.safe_load(text)["training"]["log_every"] == 7
    assert "s per step" in fewmask("train", "--resume", run, "--dry-run")
    assert "--out cannot be combined" in fewmask(
        "train", "--resume", run, "--print-config", "--out", "x", code=2
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_shell_does_not_go_on_after_a_signal(number, tmp_path, monkeypatch):
    step = Supervised.step

    def interrupted(self, batch, minimize, progress):
        signal.raise_signal(number)
        return step(self, batch, minimize, progress)

    monkeypatch.setattr(Supervised, "step", interrupted)
    words = ("synthetic", "method=supervised", *TINY_WORDS, "--out", tmp_path / "run")
    text = fewmask("train", *words, code=128 + number)
    assert "Stopped after step 1 of " in text and "Done." not in text


def test_a_run_that_another_process_writes_is_left_alone(run):
    with one_writer(run):
        text = fewmask("train", "--resume", run, "training.steps=9", code=2)
        assert f"{run} is being written by another process: {os.getpid()} on " in text
        text = fewmask("train", "synthetic", *TINY_WORDS, "--overwrite", "--out", run, code=2)
        assert "is being written by another process" in text
    assert (run / "weights" / "last.pt").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_ends_a_run_in_good_order(number, tmp_path):
    words = [*TINY_WORDS, "machine.workers=2", "training.steps=100000", "training.log_every=1"]
    command = [sys.executable, "-m", "fewmask", "train", "synthetic", *words]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as program:  # fmt: skip
        try:
            assert program.stdout is not None
            said = next(line for line in program.stdout if line.startswith("step 3/"))
            os.killpg(program.pid, number)
            said, _ = program.communicate(timeout=120)
        finally:
            program.kill()
    assert program.returncode == 128 + number, said
    assert "Stopped after step " in said and "defect" not in said
    assert (tmp_path / "run" / "weights" / "last.pt").is_file()
