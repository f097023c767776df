"""Commands that say how good trained runs are: evaluate, report, results."""

import shutil

from PIL import Image

from tests.photos import ten_photos
from tests.program import TINY_PHOTOS, fewmask


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


def test_a_run_is_scored_on_its_own_validation_images_after_masks_were_added(tmp_path):
    photos = ten_photos(tmp_path)
    fewmask("train", f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, cwd=tmp_path)
    first = tmp_path / "runs/folder-fewmatch-001"
    before = fewmask("evaluate", first, cwd=tmp_path)
    for i in (6, 7, 8, 9):
        shutil.copy(photos / "masks" / "p0.png", photos / "masks" / f"p{i}.png")
    Image.new("RGB", (50, 40)).save(photos / "images" / "p10.png")  # one stays unlabeled
    after = fewmask("evaluate", first, cwd=tmp_path)
    assert after.splitlines()[-4:] == before.splitlines()[-4:]
    held_out = (first / "splits" / "val.txt").read_text().split()[0]
    (photos / "masks" / f"{held_out}.png").unlink()
    assert "are missing today" in fewmask("evaluate", first, cwd=tmp_path, code=2)


def test_results_of_a_run(run):
    text = fewmask("results", run)
    assert "teacher" in text and "student" in text and "selected on val" in text


def test_the_report_finds_photos_that_have_moved(run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "lr=0.1")
    photos = shutil.copytree(run.parents[1] / "photos", tmp_path / "moved")
    recipe = (copied / "recipe.yaml").read_text().replace(str(run.parents[1] / "photos"), "/gone")
    (copied / "recipe.yaml").write_text(recipe)
    assert "data.root=/gone: there is no such folder" in fewmask("report", copied, code=2)
    fewmask("report", copied, f"data.root={photos}")
    assert (copied / "report.html").is_file()
    page = tmp_path / "both.html"
    words = ("report", copied, run, f"data.root={photos}", "--out", page)
    assert f"Report: {page}" in fewmask(*words)
    assert page.read_text().count("<section") == 2


def test_mistakes_in_the_words_of_a_report(run, tmp_path):
    for words, says in (
        (("data.root=x",), "data.root=x is an option, but no run is named"),
        ((run, "training.steps=3"), "cannot change when a run is evaluated"),
        ((run, "data.root=a", "data.root=b"), "given twice"),
        ((run, "data=synthetic"), "with the same classes"),
        ((run, "--out", tmp_path), "is a folder. Give a file"),
        ((run, "--out", tmp_path / "p.jpg"), "the report is an HTML page"),
    ):
        assert says in fewmask("report", *words, code=2)
