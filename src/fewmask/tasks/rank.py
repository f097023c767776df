"""What to label next: the unlabeled images a run knows least, chosen so that they differ."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewmask import atomic
from fewmask.batch import normalize
from fewmask.config import did_you_mean
from fewmask.data import Data
from fewmask.data.files import Files
from fewmask.data.images import as_rgb, to_long_side
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError
from fewmask.evaluation.evaluator import eval_mode
from fewmask.evaluation.predictor import Predictor
from fewmask.recipes.recipe import load_recipe
from fewmask.report.pictures import contact_sheet, save_whole
from fewmask.run_folder.result import read_result
from fewmask.run_folder.tables import read_table
from fewmask.runs.building import open_data
from fewmask.runs.files import recipe_file
from fewmask.runs.loading import load

POOL = 4
"""The choice is made among this many times as many of the hardest images."""
SHOWN = 12
LARGEST = 2048
"""Larger images are looked at in this size: their order matters, not their outlines."""


class Look(NamedTuple):
    """What a run thinks of one image."""

    hardness: np.ndarray  # [h, w] in 0..1, per pixel
    prediction: np.ndarray  # [h, w] labels
    feature: np.ndarray  # [C], mean of the decoder's features, of length 1


def rank(run: Path, count: int, by: str, out: Path) -> list[str]:
    """Orders the unlabeled images of a run by hardness, and chooses what to label next.

    Writes `rank.csv` (all images, hardest first), `to_label.txt` (the chosen names),
    `next_labeled.txt` (today's labeled names and the chosen ones) and `to_label.png`.

    Args:
        run: the run folder.
        count: how many to choose.
        by: what makes an image hard, see `CRITERIA`; or `easiness`, as iMAS logged it last.
        out: the folder to write to.

    Returns:
        The chosen names, the most urgent first.

    Raises:
        UserError: for an unknown criterion, or a run without unlabeled images.
    """
    if by not in (*CRITERIA, "easiness"):
        raise UserError(f"--by={by}: unknown. {did_you_mean(by, [*CRITERIA, 'easiness'])}")
    recipe = load_recipe(recipe_file(run))
    data = open_data(recipe, needs_unlabeled=True, tell=False)
    predictors = [load(run, name) for name in list(read_result(run).networks)[:2]]
    criterion = CRITERIA.get(by, entropy)
    seen, scores, features = [], [], []
    for index in range(len(data.unlabeled)):
        try:
            image = data.unlabeled.image(index)
        except UserError as error:  # of a pool, which is not checked whole
            print(f"Passed over. {error}")
            continue
        look = look_at(predictors, image, criterion)
        seen.append(index)
        scores.append(float(look.hardness.mean()))
        features.append(look.feature)
    if by == "easiness":
        logged = _logged_hardness(run, data)
        scores = [logged[index] for index in seen]
    picked = choose(np.array(scores), np.stack(features), count)
    chosen = [seen[place] for place in picked]
    hardest = sorted(zip(scores, seen, strict=True), reverse=True)
    _write(data, hardest, chosen, by, out)
    _draw(predictors, data, chosen, criterion, out / "to_label.png")
    return [data.unlabeled.names[i] for i in chosen]


def held_out(run: Path) -> Path | None:
    """The list of val images of a run that held them out by itself; more labels would draw anew."""
    config = load_recipe(recipe_file(run)).data
    draws = isinstance(config, Folder.Config) and config.val is None
    return (run / "splits" / "val.txt").resolve() if draws else None


Criterion = Callable[[Tensor], Tensor]


def entropy(probs: Tensor) -> Tensor:
    """How unsure the mean of all looks is: H(mean p) / log K, [h, w] of [V, K, h, w]."""
    return _entropy(probs.mean(0)) / math.log(probs.shape[1])


def disagreement(probs: Tensor) -> Tensor:
    """How much the looks differ: H(mean p) - mean H(p), over log K, [h, w] of [V, K, h, w].

    Source: Houlsby et al., Bayesian Active Learning for Classification, 2011 (BALD).
    """
    each = torch.stack([_entropy(p) for p in probs]).mean(0)
    return ((_entropy(probs.mean(0)) - each) / math.log(probs.shape[1])).clamp(min=0)


def _entropy(probs: Tensor) -> Tensor:
    return -(probs * probs.clamp(min=1e-12).log()).sum(0)


CRITERIA: dict[str, Criterion] = {"entropy": entropy, "disagreement": disagreement}
"""Each network looks at the image and at its mirror image."""


@torch.no_grad()
def look_at(predictors: list[Predictor], image: np.ndarray, criterion: Criterion) -> Look:
    """Student and teacher (if there are two) look at an image and at its mirror image."""
    first = predictors[0]
    most = first.long_side or (LARGEST if max(image.shape) > LARGEST else None)
    pixels = normalize(torch.tensor(to_long_side(image, most))[None], first.device)  # [1, C, h, w]
    looks, feature = [], None
    for predictor in predictors:
        with eval_mode(predictor.network):
            plain, mirrored = predictor.network(pixels), predictor.network(pixels.flip(-1))
        looks += [
            plain.upsampled_logits.softmax(1)[0],
            mirrored.upsampled_logits.softmax(1)[0].flip(-1),
        ]
        feature = plain.features.float().mean((0, 2, 3)) if feature is None else feature
    assert feature is not None
    probs = torch.stack(looks)  # [V, K, h, w]
    return Look(
        criterion(probs).cpu().numpy(),
        probs.mean(0).argmax(0).to(torch.uint8).cpu().numpy(),
        (feature / feature.norm().clamp(min=1e-12)).cpu().numpy(),
    )


def choose(hardness: np.ndarray, features: np.ndarray, count: int) -> list[int]:
    """Hard images that differ: the hardest first, then hardness times distance to the chosen.

    Args:
        hardness: [N].
        features: [N, C], of length 1.
        count: how many; all, if there are fewer.
    """
    pool = np.argsort(hardness)[::-1][: POOL * count]
    chosen = [int(pool[0])]
    nearest = np.full(len(pool), np.inf)
    while len(chosen) < min(count, len(pool)):
        nearest = np.minimum(nearest, np.linalg.norm(features[pool] - features[chosen[-1]], axis=1))
        gain = (hardness[pool] + 1e-9) * (nearest + 1e-6)
        gain[np.isin(pool, chosen)] = -1
        chosen.append(int(pool[gain.argmax()]))
    return chosen


def _logged_hardness(run: Path, data: Data) -> list[float]:
    """The last hardness that training logged for each unlabeled image; 1 for one never seen."""
    file = run / "hardness.csv"
    if not file.is_file():
        raise UserError("--by easiness: this run logged none; only iMAS does. Use --by entropy.")
    last = {row["image"]: float(row["hardness"]) for row in read_table(file)}
    return [last.get(name, 1.0) for name in data.unlabeled.names]


def _write(
    data: Data, hardest: list[tuple[float, int]], chosen: list[int], by: str, out: Path
) -> None:
    names = data.unlabeled.names
    out.mkdir(parents=True, exist_ok=True)
    with (out / "rank.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rank", "image", "file", by if by != "easiness" else "hardness", "chosen"])
        for place, (score, index) in enumerate(hardest, 1):
            file = data.unlabeled.images[index] if isinstance(data.unlabeled, Files) else ""
            number = chosen.index(index) + 1 if index in chosen else ""
            writer.writerow([place, names[index], file, f"{score:.6f}", number])
    picked = [names[index] for index in chosen]
    atomic.write_text(out / "to_label.txt", "".join(f"{n}\n" for n in picked))
    both = [*data.labeled.names, *picked]
    atomic.write_text(out / "next_labeled.txt", "".join(f"{n}\n" for n in both))


def _draw(
    predictors: list[Predictor], data: Data, chosen: list[int], criterion: Criterion, file: Path
) -> None:
    """The first chosen images: photo, prediction, and where it is hard (bright)."""
    rows = []
    for index in chosen[:SHOWN]:
        image = data.unlabeled.image(index)
        look = look_at(predictors, image, criterion)
        hard = np.rint(255 * look.hardness / max(1e-9, look.hardness.max())).astype(np.uint8)
        colors = data.classes.colors[look.prediction]
        rows.append([as_rgb(image), colors, np.repeat(hard[:, :, None], 3, axis=2)])
    save_whole(contact_sheet(rows, ["image", "prediction", "unsure where bright"], 160), file)
