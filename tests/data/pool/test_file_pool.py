"""Pools of image files in whole runs."""

import numpy as np
import pytest

import fewmask
from fewmask.data.lists.published import recognize, recognize_dataset
from fewmask.runs.run import Run
from fewmask.tasks.pseudo import pseudo_labels as export_pseudo_labels
from fewmask.tasks.rank import rank
from tests.conftest import TINY_WORDS
from tests.data.pools import (
    opened_pool,
    write_folder,
)


def test_a_pool_answers_for_its_files(tmp_path):
    folder = write_folder(tmp_path / "pool", 5)
    pool = opened_pool(folder)
    file = folder / pool.names[2]
    assert pool.is_pool and pool.file(2) == file and pool.contents == "5 unlabeled images"
    assert pool.shared_files({str(file), "/elsewhere/a.png"}) == {str(file)}
    assert pool.sample() == range(5) and pool.fingerprint() == recognize(pool.names).sha256
    assert recognize_dataset(pool).published == ()
    chosen = pool.subset([3, 1])
    assert chosen.names == [pool.names[3], pool.names[1]]
    assert np.array_equal(chosen.image(0), pool.image(3))
    with pytest.raises(AssertionError, match="has no mask"):
        pool.mask(0)


def test_only_a_sample_of_a_large_pool_is_read_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("fewmask.data.pool.file_pool.SAMPLED_FILES", 4)
    assert list(opened_pool(write_folder(tmp_path / "pool", 9)).sample()) == [0, 3, 6]


def test_pseudo_labels_stay_in_their_folder(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    before = sorted(folder.rglob("*"))
    (tmp_path / "list.txt").write_text("".join(f"{f}\n" for f in folder.rglob("*.png")))
    words = [*TINY_WORDS, "model.encoder=test_resnet", f"data.pool={tmp_path / 'list.txt'}"]
    words += ["method=imas", "training.steps=2"]
    run = fewmask.train("synthetic", *words, out=tmp_path / "run")
    export_pseudo_labels(Run.open(run.folder, needs_unlabeled=True), tmp_path / "out", 0.0)
    assert sorted(folder.rglob("*")) == before
    assert len(list((tmp_path / "out" / "masks").rglob("*.png"))) == 3


def test_ranking_skips_what_cannot_be_read(tmp_path, capsys):
    folder = write_folder(tmp_path / "pool", 12)
    words = [*TINY_WORDS, "model.encoder=test_resnet", f"data.pool={folder}", "method=imas"]
    run = fewmask.train("synthetic", *words, "training.steps=2", out=tmp_path / "run")
    (folder / "part0" / "003.png").write_bytes(b"damaged")
    chosen = rank(Run.open(run.folder, needs_unlabeled=True), 3, "entropy", tmp_path / "ranked")
    assert len(chosen) == 3 and "part0/003.png" not in chosen
    assert "Left out: Cannot read image" in capsys.readouterr().out
    rows = (tmp_path / "ranked" / "rank.csv").read_text().splitlines()
    assert len(rows) == 12  # a head and 11 images
