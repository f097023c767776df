"""Ranks the unlabeled images of a run by hardness, and chooses which ones to label next."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fewmask.data import Data
from fewmask.data.images import as_rgb
from fewmask.data.own_files import OwnFiles
from fewmask.engine.screen import Screen
from fewmask.errors import UserError, did_you_mean
from fewmask.evaluation.hardness import CRITERIA, Criterion, assess, choose, entropy
from fewmask.evaluation.predictor import Predictor
from fewmask.report.output import require_folder
from fewmask.report.pictures import contact_sheet, save_whole
from fewmask.run_folder.tables import read_table
from fewmask.runs.run import Run
from fewmask.tasks.telling import FirstFew

RANKING, SHEET, LIST = "rank.csv", "to_label.png", "to_label.txt"
"""Files in the output folder: the full ranking, and the chosen images as pictures and as names."""
NEXT = "next_labeled.txt"
"""Beside them: the names of the labeled images of today and of the chosen ones."""
SHOWN = 12
"""Images on the contact sheet."""
NETWORKS = 2
"""The first networks of a run rank its images: teacher and student, if it has both."""


def rank(run: Run, count: int, by: str, out: Path) -> list[str]:
    """Ranks the unlabeled images of a run by hardness, and chooses which ones to label next.

    Writes `rank.csv` (all images, hardest first), `to_label.txt` (the chosen names),
    `next_labeled.txt` (the labeled names of today and the chosen ones) and `to_label.png`.

    Args:
        run: opened with its unlabeled images.
        count: how many to choose.
        by: the measure of hardness, see `CRITERIA`; or `easiness`, which iMAS logs in training.
        out: the folder to write to.

    Returns:
        The chosen names, most useful first.

    Raises:
        UserError: for an unknown criterion, a run without unlabeled images that can be read,
            a file as `out`, or files there that were changed since fewmask wrote them.
    """
    if by not in (*CRITERIA, "easiness"):
        raise UserError(
            f"--by={by}: unknown criterion. {did_you_mean(by, [*CRITERIA, 'easiness'])}"
        )
    require_folder(out)
    own = OwnFiles(out)
    own.require_free(*(out / name for name in (RANKING, SHEET, LIST, NEXT)))
    data = run.data
    predictors = [run.network(name) for name in list(run.result.networks)[:NETWORKS]]
    # Easiness is one number per image; the contact sheet then shows entropy by pixel.
    criterion = CRITERIA.get(by, entropy)
    with Screen() as screen:
        every = screen.track("ranking image", range(len(data.unlabeled)))
        indices, scores, features = _assess_all(data, predictors, criterion, every)
    if not indices:
        raise UserError(
            f"None of the {len(data.unlabeled)} unlabeled image(s) of {run.folder} can be read, so "
            "nothing was ranked."
        )
    if by == "easiness":
        logged = _logged_hardness(run)
        scores = [logged[index] for index in indices]
    picked = choose(np.array(scores), np.stack(features), count)
    chosen = [indices[place] for place in picked]
    hardest = sorted(zip(scores, indices, strict=True), reverse=True)
    _write(data, hardest, chosen, "hardness" if by == "easiness" else by, own, out)
    save_whole(_draw(predictors, data, chosen, criterion), out / SHEET, own)
    return [data.unlabeled.names[i] for i in chosen]


def held_out(run: Run) -> Path | None:
    """The list of validation images, if the run held them out itself; otherwise None.

    With more labels, the next run would hold out other images, and its scores could not be
    compared.
    """
    return run.paths.split("val").resolve() if run.recipe.source().draws_val() else None


def _assess_all(
    data: Data, predictors: Sequence[Predictor], criterion: Criterion, every: Iterable[int]
) -> tuple[list[int], list[float], list[np.ndarray]]:
    """Index, hardness and features of each unlabeled image that can be read."""
    indices, scores, features = [], [], []
    few = FirstFew(print)
    for index in every:
        try:
            image = data.unlabeled.image(index)
        except UserError as error:  # a pool is too large to be checked before it is used
            few.tell("Left out", str(error))
            continue
        assessed = assess(predictors, image, criterion)
        indices.append(index)
        scores.append(float(assessed.hardness.mean()))
        features.append(assessed.feature)
    few.end()
    return indices, scores, features


def _logged_hardness(run: Run) -> list[float]:
    """The last hardness logged for each unlabeled image; 1 for images that were never used."""
    if not run.paths.hardness.is_file():
        raise UserError(
            "--by easiness: this run logged no easiness; only iMAS does. Use --by entropy."
        )
    rows = read_table(run.paths.hardness, "image", "hardness")
    last = {row["image"]: float(row["hardness"]) for row in rows}
    return [last.get(name, 1.0) for name in run.data.unlabeled.names]


def _write(
    data: Data,
    hardest: Sequence[tuple[float, int]],
    chosen: Sequence[int],
    criterion: str,
    own: OwnFiles,
    out: Path,
) -> None:
    names, table = data.unlabeled.names, io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["rank", "image", "file", criterion, "chosen"])
    numbers = {index: number for number, index in enumerate(chosen, 1)}
    for place, (score, index) in enumerate(hardest, 1):
        file = data.unlabeled.file(index) or ""
        writer.writerow([place, names[index], file, f"{score:.6f}", numbers.get(index, "")])
    own.write_text(out / RANKING, table.getvalue())
    picked = [names[index] for index in chosen]
    for name, listed in ((LIST, picked), (NEXT, [*data.labeled.names, *picked])):
        own.write_text(out / name, "".join(f"{line}\n" for line in listed))


def _draw(
    predictors: Sequence[Predictor],
    data: Data,
    chosen: Sequence[int],
    criterion: Criterion,
) -> Image.Image:
    """Draws the first chosen images: photo, prediction, and hardness (bright is hard)."""
    rows = []
    with Screen() as screen:
        for index in screen.track("drawing image", chosen[:SHOWN]):
            image = data.unlabeled.image(index)
            assessed = assess(predictors, image, criterion)
            brightness = 255 * assessed.hardness / max(1e-9, assessed.hardness.max())
            hard = np.rint(brightness).astype(np.uint8)
            colors = predictors[0].classes.colors[assessed.prediction]
            # Every image is drawn with its own brightest pixel white, or easy ones would be black.
            rows.append([as_rgb(image), colors, np.repeat(hard[:, :, None], 3, axis=2)])
    return contact_sheet(rows, ["image", "prediction", "uncertain (bright)"], 160)
