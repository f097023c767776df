"""Pseudo-labels are exported for images that a person can correct."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import fewmask
from fewmask.data import Dataset
from fewmask.errors import UserError
from fewmask.runs.run import Run
from fewmask.tasks.pseudo import named_files, pseudo_labels
from tests.conftest import TINY_WORDS


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
