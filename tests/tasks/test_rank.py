"""What to label next: hard images that differ."""

import csv

import numpy as np
import pytest
from PIL import Image

import fewmask
from fewmask.errors import UserError
from fewmask.runs.run import Run
from fewmask.tasks import rank
from tests.conftest import TINY_WORDS


def with_unlabeled(folder):
    return Run.open(folder, needs_unlabeled=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rank") / "run"
    words = ("synthetic", "method=imas", *TINY_WORDS, "training.steps=4")
    return fewmask.train(*words, out=folder).folder


@pytest.mark.parametrize("by", ["entropy", "disagreement", "easiness"])
def test_it_writes_an_order_a_list_and_a_sheet(run, by, tmp_path):
    chosen = rank.rank(with_unlabeled(run), 3, by, tmp_path)
    with (tmp_path / "rank.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    scores = [float(row["hardness" if by == "easiness" else by]) for row in rows]
    assert len(rows) == 7 and scores == sorted(scores, reverse=True)
    assert (tmp_path / "to_label.txt").read_text().split() == chosen and len(chosen) == 3
    assert rows[0]["chosen"] == "1" and rows[0]["image"] == chosen[0]
    labeled = (run / "splits" / "labeled.txt").read_text().split()
    assert (tmp_path / "next_labeled.txt").read_text().split() == [*labeled, *chosen]
    assert Image.open(tmp_path / "to_label.png").height > 3 * 160


def test_the_next_run_can_be_scored_on_the_same_images(run, tmp_path):
    assert rank.held_out(Run.open(run)) is None  # scenes have a val set of their own
    for kind, count in (("images", 6), ("masks", 5)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for i in range(count):
            picture = np.full((40, 40, 3) if kind == "images" else (40, 40), i % 2, np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / kind / f"{i}.png")
    words = [f"data={tmp_path}/photos", "model.encoder=test_resnet", "loader.crop=32"]
    words += ["loader.labeled_batch=2", "loader.unlabeled_batch=2", "training.steps=1"]
    words += ["model.pretrained=false"]
    first = fewmask.train(*words, out=tmp_path / "first").folder
    again = fewmask.train(
        *words, f"data.val={rank.held_out(Run.open(first))}", out=tmp_path / "second"
    ).folder
    assert rank.held_out(Run.open(again)) is None
    assert (first / "splits/val.txt").read_text() == (again / "splits/val.txt").read_text()


def test_unknown_criteria_and_runs_without_easiness(run, tmp_path):
    with pytest.raises(UserError, match="Did you mean 'entropy'"):
        rank.rank(with_unlabeled(run), 3, "entropie", tmp_path)
    words = ("synthetic", "method=supervised", *TINY_WORDS, "training.steps=2")
    supervised = fewmask.train(*words, out=tmp_path / "run").folder
    with pytest.raises(UserError, match="only iMAS does"):
        rank.rank(with_unlabeled(supervised), 3, "easiness", tmp_path)
    assert len(rank.rank(with_unlabeled(supervised), 3, "entropy", tmp_path)) == 3


def test_images_of_data_with_fewer_classes_are_drawn_and_a_file_is_no_folder(run, tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(6):
        pixels = rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / "images" / f"{i}.png")
        if i < 4:
            mask = np.tile(np.arange(48) > 20, (48, 1)).astype(np.uint8)
            Image.fromarray(mask).save(tmp_path / "photos" / "masks" / f"{i}.png")
    other = Run.open(run, {"data": {"name": f"{tmp_path}/photos"}}, needs_unlabeled=True)
    assert sorted(rank.rank(other, 2, "entropy", tmp_path / "ranked")) == ["4", "5"]
    with pytest.raises(UserError, match="--out=.*4.png is a file"):
        rank.rank(other, 2, "entropy", tmp_path / "photos" / "images" / "4.png")


def test_it_tells_how_far_it_has_come(run, tmp_path, talkative, capsys):
    rank.rank(with_unlabeled(run), 3, "entropy", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    ranking = [line for line in lines if line.startswith("ranking image")]
    assert len(ranking) == 7 and ranking[3].startswith("ranking image 4/7  after ")
    assert "left" in ranking[3] and "drawing image 3/3  after " in "".join(lines)


def test_a_list_that_was_edited_is_kept(run, tmp_path):
    for _ in range(2):
        rank.rank(with_unlabeled(run), 2, "entropy", tmp_path)
    file = tmp_path / "next_labeled.txt"
    file.write_text("mine\n")
    with pytest.raises(UserError, match="next_labeled.txt was changed since fewmask wrote it"):
        rank.rank(with_unlabeled(run), 2, "entropy", tmp_path)
    assert file.read_text() == "mine\n"


def test_images_of_which_none_can_be_read_are_not_ranked(run, tmp_path, monkeypatch):
    opened = with_unlabeled(run)

    def broken(index):
        raise UserError("a broken image")

    monkeypatch.setattr(opened.data.unlabeled, "image", broken)
    with pytest.raises(UserError, match=r"None of the 7 unlabeled image\(s\) .* can be read"):
        rank.rank(opened, 2, "entropy", tmp_path)
    assert not list(tmp_path.iterdir())
