"""Pseudo-labels are exported for images that a person can correct."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import fewmask
from fewmask.data import Dataset
from fewmask.errors import UserError
from fewmask.runs.run import Run
from fewmask.tasks.pseudo import named_files, pseudo_labels
from tests.conftest import TINY_WORDS
from tests.photos import ten_photos
from tests.program import TINY_PHOTOS


def test_what_cannot_be_exported_is_named(tmp_path):
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=1")
    run = Run.open(fewmask.train(*words, out=tmp_path / "run").folder, needs_unlabeled=True)
    for threshold in (-0.1, 1.0):
        with pytest.raises(UserError, match=f"--threshold={threshold}: expected a confidence"):
            pseudo_labels(run, tmp_path / "out", threshold)
    with pytest.raises(UserError, match="unlabeled images of this run are not files"):
        pseudo_labels(run, tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()


def test_names_written_on_windows_stay_in_the_output_folder(tmp_path):
    class Escaping(Dataset):
        names = ["..\\..\\p1", "sub\\p2", "../p3"]

        def image(self, index):
            raise AssertionError

        def file(self, index):
            return Path(f"{index}.png")

    data = SimpleNamespace(unlabeled=Escaping())
    assert [item.name for item in named_files(SimpleNamespace(data=data))] == ["p1", "sub/p2", "p3"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on ten photos, four of them unlabeled."""
    place = tmp_path_factory.mktemp("pseudo")
    words = (f"data={ten_photos(place)}", "data.names=[soil, weed]", *TINY_PHOTOS)
    return Run.open(fewmask.train(*words, out=place / "run").folder, needs_unlabeled=True)


def test_a_list_restricts_the_export_to_its_images(run, tmp_path):
    (tmp_path / "list.txt").write_text("p8\np6.png\n")
    done = pseudo_labels(run, tmp_path / "out", 0.5, only=tmp_path / "list.txt")
    assert done.names == ["p8", "p6"]
    assert sorted(f.name for f in (tmp_path / "out/full").iterdir()) == ["p6.png", "p8.png"]
    (tmp_path / "list.txt").write_text("p8\np1\n")
    with pytest.raises(UserError, match="--only=.*list.txt lists 'p1', but there is no such image"):
        pseudo_labels(run, tmp_path / "out", 0.5, only=tmp_path / "list.txt")
    for missing in (tmp_path / "no.txt", tmp_path):
        with pytest.raises(UserError, match="--only=.*: there is no such list.*rank/to_label.txt"):
            pseudo_labels(run, tmp_path / "out", 0.5, only=missing)


def test_it_says_how_much_of_each_class_is_labeled(run, tmp_path):
    said = []
    pseudo_labels(run, tmp_path / "all", 0.0, tell=said.append)
    (line,) = [line for line in said if "labeled" in line]
    assert line.startswith("On average, 100.0 % of a photo is labeled in masks: ")
    assert "soil " in line and "weed " in line and not any("--threshold" in one for one in said)
    assert not (tmp_path / "all" / "full").exists()
    said.clear()
    done = pseudo_labels(run, tmp_path / "none", 0.999, tell=said.append)
    assert said[-2] == "On average, 0.0 % of a photo is labeled in masks: soil 0.0 %, weed 0.0 %"
    assert said[-1].endswith("lower the threshold: --threshold 0.75 --overwrite")
    for name in done.names:
        mask, full, unsure = (
            np.asarray(Image.open(tmp_path / "none" / kind / f"{name}.png"))
            for kind in ("masks", "full", "unsure")
        )
        assert (mask == 255).all() and (unsure == 255).all() and set(np.unique(full)) <= {0, 1}


def test_the_threshold_that_is_advised_labels_more(run, tmp_path):
    threshold, said = 0.999, []
    for _ in range(20):  # each advice is halfway to where every pixel gets a label
        said.clear()
        pseudo_labels(run, tmp_path / "out", threshold, overwrite=True, tell=said.append)
        advice = re.search(r"--threshold ([\d.]+) --overwrite", said[-1])
        if advice is None:
            break
        threshold = float(advice[1])
    assert threshold < 0.999 and advice is None
    masks = [np.asarray(Image.open(file)) for file in (tmp_path / "out/masks").iterdir()]
    assert any((mask < 2).any() for mask in masks)
