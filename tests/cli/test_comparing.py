"""Commands that train several methods side by side: demo, compare."""

import shlex
import shutil

import pytest
from PIL import Image

from tests.conftest import TINY_WORDS
from tests.data.trees import tree, write_list
from tests.photos import ten_photos
from tests.program import SMALL, TINY_PHOTOS, fewmask


def test_a_comparison_notices_that_its_data_changed(tmp_path):
    photos = ten_photos(tmp_path)
    words = ("compare", f"data={photos}", "data.names=[a, b]", *TINY_PHOTOS, "--seeds", "1")
    fewmask(*words, cwd=tmp_path)
    shutil.copy(photos / "masks" / "p0.png", photos / "masks" / "p6.png")
    assert "have changed since the run began" in fewmask(*words, cwd=tmp_path, code=2)


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


def test_a_demo_on_own_images_leads_to_a_comparison_with_three_seeds(tmp_path):
    photos = ten_photos(tmp_path).rename(tmp_path / "my photos")
    words = ("data.names=[a, b]", *TINY_PHOTOS)
    text = fewmask("demo", "--data", photos.name, *words, cwd=tmp_path)
    made = {path.name for path in (tmp_path / "runs" / "demo-data").glob("[!.]*")}
    assert made == {"supervised-seed0", "fewmatch-seed0", "demo.png", "report.html"}
    (said,) = (line for line in text.splitlines() if line.startswith("This was a first look."))
    _, _, command = said.partition("To compare properly: fewmask ")
    assert command.endswith("--methods supervised,auto --seeds 3")
    compared = fewmask(*shlex.split(command), cwd=tmp_path)
    assert "run 6 of 6: fewmatch, seed 2" in compared


def test_a_demo_on_a_folder_that_is_not_there(tmp_path):
    error = fewmask("demo", "--data", "fotos", cwd=tmp_path, code=2)
    assert "data=fotos: there is no such folder" in error


def test_an_option_of_a_method_reaches_those_that_have_it(tmp_path):
    words = ("compare", "synthetic", *TINY_WORDS, "training.steps=1", "--seeds", "1")
    options = ("method.threshold=0.6", "methods.imas.threshold=0.7")
    out = tmp_path / "out"
    fewmask(*words, *options, "--methods", "supervised,imas,fixmatch", "--out", out)
    recipes = {path.parent.name: path.read_text() for path in out.glob("*/recipe.yaml")}
    assert "threshold: 0.7\n" in recipes["imas-seed0"]
    assert "threshold: 0.6\n" in recipes["fixmatch-seed0"]
    error = fewmask(*words, "--methods", "supervised,imas", "method.treshold=0.9", code=2)
    assert "method.treshold: none of the compared methods" in error
    assert "Did you mean 'threshold'?" in error


def test_a_page_of_the_user_is_noticed_before_training(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    text = fewmask("compare", "synthetic", *TINY_WORDS, "--out", tmp_path / "out", code=2)
    assert "report.html was changed since fewmask wrote it" in text
    assert (tmp_path / "out" / "report.html").read_text() == "mine"


def test_lists_are_compared_in_folders_of_their_own_and_shown_together(tmp_path):
    """A row of a paper's table, at reduced size; the same command again has nothing to train."""
    root = tree("voc", tmp_path / "VOC")
    write_list(root / "splits" / "labeled_2.txt", ["2007_000000", "2009_000001"])
    network = ("model.encoder=test_resnet", "model.multi_grid=null", "model.ceil_pool=false")
    words = ("compare", "voc/imas", "data.root=VOC", *SMALL, *network, "training.steps=2")
    words += ("--methods", "supervised,imas", "--seeds", "1", "--out", "row", "--lists")
    text = fewmask(*words, "2,3", cwd=tmp_path)
    runs = {
        path.relative_to(tmp_path / "row").as_posix() for path in tmp_path.glob("row/*/*-seed*")
    }
    assert runs == {"2/supervised-seed0", "2/imas-seed0", "3/supervised-seed0", "3/imas-seed0"}
    heads, scores = text.partition("by labeled list")[2].split("supervised, last")
    assert heads.split()[:2] == ["2", "3"] and len(scores.splitlines()[0].split()) == 2
    assert "published" not in scores  # nobody published scores of these lists
    again = fewmask(*words, "2,3", cwd=tmp_path)
    assert again.count("already finished") == 4 and scores in again
    error = fewmask(*words, "2,4", cwd=tmp_path, code=2)
    assert "data.labeled=4: there is no" in error and not (tmp_path / "row" / "4").exists()
