"""The experiments run; their scores after a few steps mean nothing."""

from pathlib import Path

import pytest

pytest.importorskip("experiments", reason="only in a checkout")

import experiments  # noqa: E402
from experiments import animals, camvid, curves, ranking, scenes  # noqa: E402
from experiments.__main__ import COMMANDS  # noqa: E402


def quantities(rows):
    return {row[0].subject: {f.quantity for f in row} for row in rows}


@pytest.mark.slow
def test_methods_are_compared_on_scenes():
    found = quantities(scenes.measure(["supervised", "imas"], seeds=1, steps=2))
    assert {"mean mIoU", "seed 0 mIoU", "time per run", "peak memory"} <= found["supervised"]
    assert found["iMAS"] >= {"mean best mIoU", "gain, 95 % low", "gain, 95 % high"}
    assert "gain, 95 % low" not in found["supervised"] and "star" in found["iMAS, seed 0"]


@pytest.mark.slow
def test_ranked_images_are_compared_with_random_ones(monkeypatch):
    monkeypatch.setattr(ranking, "CRITERIA", ("disagreement",))
    found = quantities(ranking.measure(labeled=14, added=2, steps=1, draws=1))
    assert list(found) == [
        "14 labeled",
        "14 labeled + 2 by disagreement",
        "14 labeled + 2 at random",
    ]
    assert "mean mIoU" in found["14 labeled + 2 at random"]


@pytest.mark.parametrize(
    ("module", "recipe", "labels"),
    [(animals, "auto/cpu", "labeled_55.txt"), (camvid, "camvid", "splits/labeled_55.txt")],
)
def test_photos_are_compared_with_the_settings_of_a_cpu(
    module, recipe, labels, monkeypatch, tmp_path
):
    asked = []

    def compared(words, methods, seeds, out):
        asked.append((words, methods, seeds, out))
        yield ranking.figures("supervised", mean_mIoU=(50.0, "%"))

    monkeypatch.setattr("experiments.runs.compared", compared)
    found = quantities(
        module.measure(tmp_path, ["supervised"], labeled=55, seeds=1, steps=2, out=tmp_path / "o")
    )
    assert list(found) == ["supervised"]
    ((words, methods, seeds, out),) = asked
    assert f"data.labeled={tmp_path / labels}" in words and "training.steps=2" in words
    assert words[0] == recipe
    assert (methods, seeds, out) == (["supervised"], 1, tmp_path / "o")


def test_every_experiment_is_a_command():
    folder = Path(experiments.__path__[0])
    measuring = {f.stem for f in folder.glob("[a-z]*.py") if "\ndef measure(" in f.read_text()}
    assert set(COMMANDS) == measuring


def test_frames_of_a_held_out_video_are_never_trained_with(monkeypatch, tmp_path):
    images = tmp_path / "camvid" / "train" / "images"
    images.mkdir(parents=True)
    for video, count in (("A", 4), ("B", 6), ("C", 2)):
        for i in range(count):
            (images / f"{video}_{i}.png").touch()
    asked = []
    monkeypatch.setattr(
        "experiments.runs.compared", lambda words, *rest: iter([asked.append(words)])
    )
    options = {"labeled": 3, "seeds": 1, "steps": 2}
    list(camvid.measure(tmp_path / "camvid", held_out="B", out=tmp_path / "o", **options))
    assert f"data.labeled={tmp_path / 'o' / 'labeled.txt'}" in asked[0]
    assert (tmp_path / "o" / "val.txt").read_text().split() == [f"B_{i}" for i in range(6)]
    assert (tmp_path / "o" / "labeled.txt").read_text().split() == ["A_0", "A_2", "C_1"]
    with pytest.raises(SystemExit, match="--held-out D: no such video. There are A, B, C"):
        list(camvid.measure(tmp_path / "camvid", held_out="D", **options))


def test_a_curve_has_the_scores_on_the_way(monkeypatch, tmp_path):
    asked = []

    def train(command, *words):
        asked.append(words)
        run = words[-1]
        run.mkdir(parents=True)
        rows = ["step,network,miou", "5,teacher,40.25", "5,student,1", "10,teacher,50", ""]
        (run / "results.csv").write_text("\n".join(rows))

    monkeypatch.setattr(curves, "fewmask", train)
    drawn = list(curves.measure(tmp_path, ["fewmatch"], steps=10, every=5, out=tmp_path / "o"))
    assert [(f.subject, f.quantity, f.value) for f in drawn[0]] == [
        ("FewMatch", "5 steps", 40.2),
        ("FewMatch", "10 steps", 50.0),
    ]
    assert {"training.steps=10", "training.evaluate_every=5", "method=fewmatch"} < {*asked[0]}
    list(curves.measure(tmp_path, ["fewmatch"], steps=10, every=5, out=tmp_path / "o"))
    assert len(asked) == 1, "a kept run is taken"
