"""Do unlabeled frames help on CamVid, with the automatic settings for a CPU?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.record import Figure
from experiments.animals import SETTINGS
from experiments.runs import Methods, Out, Seeds, Steps, compared_in, folder_of_runs
from fewmask.data.sources.camvid import NAMES


def measure(
    root: Annotated[Path, typer.Option(help="The folder of CamVid.")],
    methods: Methods = None,
    labeled: Annotated[int, typer.Option(help="Names the list: splits/labeled_23.txt.")] = 23,
    held_out: Annotated[
        str | None, typer.Option(help="A training video to score on, such as 0001TP.")
    ] = None,
    seeds: Seeds = 3,
    steps: Steps = 600,
    out: Out = None,
) -> Iterator[list[Figure]]:
    """Train with a few labeled frames, and score on CamVid's val frames or on a whole video.

    CamVid's val frames are seven seconds of a video whose other frames are training frames. With
    `--held-out`, no frame of the video to score on is trained with: the labeled frames are evenly
    spaced in the other two videos, and the rest of those is unlabeled.
    """
    if held_out is None:
        labels = root / "splits" / f"labeled_{labeled}.txt"
        words = ["camvid", f"data.root={root}", f"data.labeled={labels}"]
        yield from compared_in(out, words, methods, seeds, steps)
        return
    with folder_of_runs(out) as folder:
        words = _words(root / "train", held_out, labeled, folder.resolve())
        yield from compared_in(folder, words, methods, seeds, steps)


def _words(train: Path, video: str, labeled: int, folder: Path) -> list[str]:
    """Writes the lists of labeled and of held-out frames; returns the options that name them."""
    frames = sorted(file.stem for file in (train / "images").iterdir())
    scored = [frame for frame in frames if frame.startswith(f"{video}_")]
    others = [frame for frame in frames if frame not in scored]
    if not scored:
        videos = sorted({frame.split("_")[0] for frame in frames})
        raise SystemExit(f"--held-out {video}: no such video. There are {', '.join(videos)}.")
    spaced = np.linspace(0, len(others) - 1, labeled).round().astype(int)
    lists = {"labeled": [others[i] for i in spaced], "val": scored}
    folder.mkdir(parents=True, exist_ok=True)
    words = [*SETTINGS, f"data={train}", f"data.names=[{', '.join(NAMES)}]", "data.ignore=[11,255]"]
    for use, names in lists.items():
        file = folder / f"{use}.txt"
        file.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        words.append(f"data.{use}={file}")
    return words
