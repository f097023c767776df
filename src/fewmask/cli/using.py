"""Commands that use trained runs: evaluate, report, results, predict, pseudo, rank."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewmask.cli.app import Options, Overwrite, Weights, command
from fewmask.errors import UserError

if TYPE_CHECKING:
    from fewmask.tasks.predict import Predicted

Annotations = Annotated[
    str,
    typer.Option(
        help="Also write what labeling tools read, to be corrected there: coco, cvat, labelme, "
        "labelstudio; several with commas."
    ),
]


@command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    options: Options = None,
    weights: Weights = "best",
    closely: Annotated[
        bool,
        typer.Option("--closely", help="Also measure boundary IoU and calibration, on one device."),
    ] = False,
) -> None:
    """Score a trained run, class by class.

    Example: `fewmask evaluate runs/photos-fewmatch-001 evaluation.flip=true`
    """
    # Heavy packages are imported inside the commands, so that help appears at once.
    from rich.console import Console
    from rich.table import Table

    from fewmask.cli.words import evaluation_options
    from fewmask.runs.run import Run
    from fewmask.tasks import evaluate as task

    changes = evaluation_options(options or [])
    opened = Run.open(run, changes=changes, tell=print)
    closer = ""
    if closely:
        classes, found = task.examine(opened, weights)
        scores = found.scores
        closer = (
            f"boundary IoU {found.boundary_iou:.2f}   expected calibration error "
            f"{found.calibration_error:.2f}"
        )
    else:
        classes, scores = task.evaluate(opened, weights)
    table = Table("class", "IoU %", title=f"{run}, {weights}")
    for name, iou in zip(classes.names, scores.iou, strict=True):
        # NaN, the one number that differs from itself, marks a class that occurs nowhere.
        table.add_row(name, "absent" if iou != iou else f"{iou:.2f}")
    Console().print(table)
    print(f"mIoU {scores.miou:.2f}   pixel accuracy {scores.pixel_accuracy:.2f}")
    if closer:
        print(closer)
    if weights == "best" and "data" not in changes:
        print("The best checkpoint was chosen on these same validation images.")


@command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="One run folder, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(help="The file; default: report.html in the first run.")
    ] = None,
) -> None:
    """Write one HTML page: curves, classes, confusions, calibration, and the worst images.

    The page works offline, so you can send it by mail.

    Example: `fewmask report runs/photos-fewmatch-001`
    """
    from fewmask.runs.run import open_runs
    from fewmask.tasks import report as task

    print(f"Report: {task.report(open_runs(runs), out)}")


@command()
def results(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
) -> None:
    """Show the scores of finished runs side by side, and warn about what cannot be compared.

    Example: `fewmask results runs/voc-*`
    """
    from fewmask.report.results_table import table
    from fewmask.run_folder.comparing import warnings
    from fewmask.run_folder.result import read_result

    read = [read_result(run) for run in runs]
    print(f"mIoU on val in %\n{table(read)}")
    print("last: after the last step. best: the highest evaluation, selected on val itself.")
    for warning in warnings(read):
        print(f"Warning: {warning}")


@command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, or a best.pt or exported file.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, glob patterns, .txt lists or images.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("predictions"),
    weights: Weights = "best",
    share: Annotated[
        str,
        typer.Option(
            "--share",
            "--shard",
            help="Predict only this share of the images: 1/4 to 4/4 on four machines.",
        ),
    ] = "1/1",
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, or onnx: the exported network, run by onnxruntime.")
    ] = "torch",
    annotations: Annotations = "",
    overwrite: Overwrite = False,
) -> None:
    """Predict masks for new images, in your own label values, with overlays and confidence maps.

    Finished predictions are kept. If it is interrupted, run the same command again.

    Example: `fewmask predict runs/photos-fewmatch-001 new_photos/ --out predictions`
    """
    from fewmask.tasks import predict as task
    from fewmask.tasks.engines import load_predictor

    predictor = load_predictor(run, weights, accelerator, engine)
    part, formats = _parse_share(share), _parse_formats(annotations)
    _say_written(task.predict(predictor, images, out, part, overwrite, print, formats), out)


@command()
def pseudo(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    options: Options = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("pseudo"),
    threshold: Annotated[
        float, typer.Option(help="Pixels with lower confidence get no label.")
    ] = 0.9,
    weights: Weights = "best",
    annotations: Annotations = "",
    overwrite: Overwrite = False,
) -> None:
    """Export pseudo-labels of the unlabeled images, to be corrected and used as masks.

    Put corrected masks into the masks folder of the data, and the next run uses them as labels.

    If the photos have moved: `data.root=PLACE`.

    Example: `fewmask pseudo runs/photos-fewmatch-001 --threshold 0.95`
    """
    from fewmask.cli.words import evaluation_options
    from fewmask.runs.run import Run
    from fewmask.tasks import pseudo as task

    opened = Run.open(run, evaluation_options(options or []), needs_unlabeled=True)
    formats = _parse_formats(annotations)
    done = task.pseudo_labels(opened, out, threshold, weights, overwrite, print, formats)
    _say_written(done, out)


@command()
def rank(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    options: Options = None,
    count: Annotated[int, typer.Option(min=1, help="How many images to choose.")] = 20,
    by: Annotated[
        str, typer.Option(help="Measure of hardness: disagreement, entropy or easiness (iMAS).")
    ] = "entropy",
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to; default: RUN/rank.")
    ] = None,
) -> None:
    """Choose the unlabeled images to label next: the most uncertain ones, chosen to be varied.

    Writes rank.csv, to_label.txt, next_labeled.txt and a contact sheet.

    If the photos have moved: `data.root=PLACE`.

    Example: `fewmask rank runs/photos-fewmatch-001 --count 10`
    """
    from fewmask.cli.words import evaluation_options
    from fewmask.runs.run import Run
    from fewmask.tasks import rank as task

    opened = Run.open(run, evaluation_options(options or []), needs_unlabeled=True)
    out = out or opened.paths.rank
    chosen = task.rank(opened, count, by, out)
    more = " ..." if len(chosen) > 10 else ""
    print(f"Label these next, most useful first: {', '.join(chosen[:10])}{more}")
    print(
        f"Full ranking: {out / task.RANKING}\nContact sheet: {out / task.SHEET}\n"
        f"List: {out / task.LIST}"
    )
    if held_out := task.held_out(opened):
        print(f"To score the next run on the same validation images: data.val={held_out}")


def _parse_share(text: str) -> tuple[int, int]:
    """(k, n) counted from 0, from `i/n` counted from 1."""
    index, slash, shares = text.partition("/")
    if not (slash and index.isdecimal() and shares.isdecimal() and 1 <= int(index) <= int(shares)):
        raise UserError(f"--share={text}: expected i/n with 1 <= i <= n, such as 1/4.")
    return int(index) - 1, int(shares)


def _parse_formats(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _say_written(done: "Predicted", out: Path) -> None:
    before = f" ({done.kept} of them earlier)" if done.kept else ""
    print(
        f"{len(done.names) - len(done.failures)} image(s) predicted{before}: {out}/masks, "
        f"{out}/overlays, {out}/confidence; the share of each class per photo: {out}/areas.csv"
    )
    if done.failures:
        print(f"{len(done.failures)} image(s) could not be read; see the messages above.")
        raise typer.Exit(1)
