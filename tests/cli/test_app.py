"""The program: light help, options given twice, mistakes that are one message."""

import subprocess
import sys

import pytest

from fewmask.version import __version__
from tests.program import fewmask


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


def test_an_option_given_twice_in_a_row_is_refused(tmp_path):
    words = ["train", "data=photos", "data.pool=0.tar", "data.pool=1.tar"]
    text = fewmask(*words, cwd=tmp_path, code=2)
    assert "data.pool is given twice: 0.tar and 1.tar" in text and "quote" in text
    text = fewmask("train", "synthetic", "seed=1", "seed=2", "--print-config", cwd=tmp_path)
    assert "seed: 2" in text


def test_the_version_is_told(tmp_path):
    assert fewmask("--version", cwd=tmp_path) == f"fewmask {__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "synthetic", "training.stepz=3"], "Did you mean 'training.steps'"),
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
        (["results", "nowhere"], "is not a run folder"),
        (["train", "imas", "data=photos"], "'imas' is a method, not a recipe: method=imas."),
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


def test_settings_with_dashes_come_with_the_form_that_works():
    said = fewmask("train", "data=photos", "--steps", "100", code=2)
    assert "--steps: no such option." in said
    assert "Settings have no dashes: data=photos, training.steps=100." in said
    assert "Did you mean --time?" in fewmask("train", "data=photos", "--tme", "3m", code=2)
    assert "Did you mean --methods?" in fewmask("compare", "--method=imas", code=2)
    assert "Settings have no dashes" in fewmask("train", "--data", "photos", code=2)


def test_ctrl_c_ends_any_command_as_shells_expect(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("fewmask.recipes.shipped.recipe_names", interrupted)
    assert fewmask("recipes", code=130) == "Stopped.\n"


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (MemoryError(), "there is not enough memory", 2),
        (RuntimeError("can't start new thread"), "not enough memory", 2),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory", 2),
        (KeyError("x"), "KeyError: 'x' (test_app.py, line ", 1),
    ],
)
def test_whatever_else_fails_is_one_message(error, says, code, monkeypatch, tmp_path):
    from fewmask.tasks import check

    def fails(*arguments, **options):
        raise error

    monkeypatch.setattr(check, "check", fails)
    printed = fewmask("check", tmp_path, code=code)
    assert says in printed and "Traceback" not in printed and len(printed.splitlines()) == 1


def test_a_message_about_a_name_without_an_end_has_one(tmp_path):
    text = fewmask("check", "x" * 100_000, cwd=tmp_path, code=2)
    assert text.startswith("Error: the file system reports: ") and "characters left out" in text
    assert 4000 < len(text) < 4100
