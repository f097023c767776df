"""Is `fewmask rank` worth using? Adding the images it chooses, beside adding random ones."""

import tempfile
from pathlib import Path
from statistics import mean
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from fewmask import api
from fewmask.data.sources.synthetic import NAMES, Synthetic
from fewmask.runs.run import Run
from fewmask.tasks import rank


def main(
    camvid: Annotated[Path | None, typer.Option(help="CamVid's folder, not the scenes.")] = None,
    labeled: Annotated[int, typer.Option(help="Labeled images to begin with.")] = 16,
    added: Annotated[int, typer.Option(help="Images that are labeled next.")] = 8,
    steps: Annotated[int, typer.Option(help="Gradient steps of each run.")] = 800,
    draws: Annotated[int, typer.Option(help="Runs per way of choosing.")] = 3,
    method: Annotated[str, typer.Option(help="Trains all runs.")] = "supervised",
) -> None:
    """Trains on few images, labels more of them in several ways, and trains again."""
    folder = Path(tempfile.mkdtemp(prefix="ranking-"))
    if camvid is None:
        names = _export(folder, labeled)
        words = ["synthetic", f"data={folder}", f"data.names=[{', '.join(NAMES)}]", "data.val=val"]
    else:
        pool = sorted(file.stem for file in (camvid / "train" / "images").iterdir())
        names = np.random.default_rng(1).permutation(pool).tolist()
        words = ["camvid", f"data.root={camvid}"]
    words += [f"method={method}", f"training.steps={steps}", f"training.evaluate_every={steps}"]
    base = names[:labeled]
    first = _train(words, folder, base, seed=0, name="base")
    print(f"{labeled} labeled: {_miou(first):.2f}", flush=True)
    for by in ("entropy", "disagreement"):
        chosen = rank.rank(Run.open(first, needs_unlabeled=True), added, by, folder / by)
        runs = [_train(words, folder, [*base, *chosen], s, f"{by}{s}") for s in range(draws)]
        _say(f"{added} more by {by}", runs)
    rng = np.random.default_rng(0)
    runs = []
    for seed in range(draws):
        chosen = rng.choice(names[labeled:], added, replace=False).tolist()
        runs.append(_train(words, folder, [*base, *chosen], seed, f"random{seed}"))
    _say(f"{added} more at random", runs)


def _say(what: str, runs: list[Path]) -> None:
    scores = [_miou(run) for run in runs]
    print(f"{what}: {', '.join(f'{s:.2f}' for s in scores)}; mean {mean(scores):.2f}", flush=True)


def _export(folder: Path, labeled: int) -> list[str]:
    """Writes the scenes, all with masks, as a folder of photos; names, labeled ones first."""
    data = Synthetic(Synthetic.Config(name="synthetic", labeled=labeled)).open()
    names = []
    for part, place in (("labeled", ""), ("unlabeled", ""), ("val", "val")):
        scenes = getattr(data, part)
        for kind in ("images", "masks"):
            (folder / place / kind).mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(scenes.names):
            Image.fromarray(scenes.image(i)).save(folder / place / "images" / f"{name}.png")
            Image.fromarray(scenes.mask(i)).save(folder / place / "masks" / f"{name}.png")
            names += [name] if not place else []
    return names


def _train(words: list[str], folder: Path, labeled: list[str], seed: int, name: str) -> Path:
    file = folder / f"{name}.txt"
    file.write_text("".join(f"{n}\n" for n in labeled), encoding="utf-8")
    where = file if words[0] == "camvid" else file.name
    options = [f"data.labeled={where}", f"seed={seed}"]
    return api.train(*words, *options, out=folder / "runs" / name).folder


def _miou(run: Path) -> float:
    """After the last step."""
    return float((run / "results.csv").read_text("utf-8").splitlines()[1].split(",")[2])
