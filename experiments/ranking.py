"""Is `fewmask rank` worth using? Labels what it chooses, or random images, and trains again."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, NamedTuple

import numpy as np
import typer
from PIL import Image

from benchmarks.record import Figure, figures
from experiments.runs import fewmask, miou
from fewmask.data.sources.synthetic import NAMES, Synthetic

CRITERIA = ("entropy", "disagreement")
"""Ways in which `fewmask rank` chooses."""


class Training(NamedTuple):
    """What all runs have in common."""

    words: list[str]
    names: list[str]
    """The training images. The first ones are labeled from the beginning."""
    folder: Path

    def run(self, name: str, labeled: Sequence[str], seed: int) -> Path:
        """Trains with some of the images labeled, and returns the run folder."""
        file = self.folder / f"{name}.txt"
        file.write_text("".join(f"{n}\n" for n in labeled), encoding="utf-8")
        out = self.folder / "runs" / name
        options = [f"data.labeled={file}", f"seed={seed}", "--out", str(out)]
        fewmask("train", *self.words, *options)
        return out


def measure(
    camvid: Annotated[
        Path | None, typer.Option(help="The folder of CamVid. Default: the built-in scenes.")
    ] = None,
    labeled: Annotated[int, typer.Option(help="Labeled images to begin with.")] = 16,
    added: Annotated[int, typer.Option(help="Images to label next.")] = 8,
    steps: Annotated[int, typer.Option(help="Training steps of each run.")] = 800,
    draws: Annotated[int, typer.Option(help="Runs for each way of choosing.")] = 3,
    method: Annotated[str, typer.Option(help="The method of all runs.")] = "supervised",
) -> Iterator[list[Figure]]:
    """Train on few images, label more of them in several ways, and train again."""
    options = [f"method={method}", f"training.steps={steps}", f"training.evaluate_every={steps}"]
    with tempfile.TemporaryDirectory(prefix="ranking-") as name:
        training = _training(Path(name), camvid, labeled, options)
        base = training.names[:labeled]
        first = training.run("base", base, seed=0)
        yield figures(f"{labeled} labeled", **{"run 1 mIoU": (miou(first), "%")})
        for by in CRITERIA:
            chosen = _ranked(first, added, by, training.folder / by)
            runs = [training.run(f"{by}{s}", [*base, *chosen], s) for s in range(draws)]
            yield _row(f"{labeled} labeled + {added} by {by}", runs)
        runs = _random(training, base, added, draws)
        yield _row(f"{labeled} labeled + {added} at random", runs)


def _training(folder: Path, camvid: Path | None, labeled: int, options: list[str]) -> Training:
    if camvid is None:
        names = _write_scenes(folder, labeled)
        classes = f"data.names=[{', '.join(NAMES)}]"
        words = ["synthetic", f"data={folder}", classes, "data.val=val"]
    else:
        train = sorted(file.stem for file in (camvid / "train" / "images").iterdir())
        names = np.random.default_rng(1).permutation(train).tolist()
        words = ["camvid", f"data.root={camvid}"]
    return Training([*words, *options], names, folder)


def _write_scenes(folder: Path, labeled: int) -> list[str]:
    """Writes the built-in scenes, all with masks, as a folder of photos; returns their names."""
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=labeled)).open()
    names = []
    for scenes, place in ((data.labeled, ""), (data.unlabeled, ""), (data.val, "val")):
        for kind in ("images", "masks"):
            (folder / place / kind).mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(scenes.names):
            Image.fromarray(scenes.image(i)).save(folder / place / "images" / f"{name}.png")
            Image.fromarray(scenes.mask(i)).save(folder / place / "masks" / f"{name}.png")
            names += [name] if not place else []
    return names


def _ranked(run: Path, count: int, by: str, out: Path) -> list[str]:
    """The images that `fewmask rank` chooses."""
    fewmask("rank", run, "--count", str(count), "--by", by, "--out", out)
    return (out / "to_label.txt").read_text(encoding="utf-8").splitlines()


def _random(training: Training, base: list[str], added: int, draws: int) -> list[Path]:
    """Runs with images drawn at random, a new draw for each."""
    rng, runs = np.random.default_rng(0), []
    for seed in range(draws):
        chosen = rng.choice(training.names[len(base) :], added, replace=False).tolist()
        runs.append(training.run(f"random{seed}", [*base, *chosen], seed))
    return runs


def _row(subject: str, runs: Sequence[Path]) -> list[Figure]:
    scores = [miou(run) for run in runs]
    each = {f"run {i} mIoU": (score, "%") for i, score in enumerate(scores, 1)}
    return figures(subject, **each, **{"mean mIoU": (mean(scores), "%")})
