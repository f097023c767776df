"""Commands that say how good trained runs are: evaluate, report, results."""

from pathlib import Path
from typing import Annotated

import typer

from fewmask.cli.app import Options, Weights, checked_words, command
from fewmask.cli.printing import show
from fewmask.errors import UserError


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
    show(table)
    print(f"mIoU {scores.miou:.2f}   pixel accuracy {scores.pixel_accuracy:.2f}")
    if closer:
        print(closer)
    if weights == "best" and "data" not in changes:
        print("The best checkpoint was chosen on these same validation images.")


@command()
def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [KEY=VALUE]...",
            help="One run folder, or several to compare; then options such as data.root=photos.",
            callback=checked_words,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The .html file; default: report.html in the first run.")
    ] = None,
) -> None:
    """Write one HTML page: curves, classes, confusions, calibration, and the worst images.

    The page works offline, so you can send it by mail.

    If the photos have moved: `data.root=PLACE`.

    Example: `fewmask report runs/photos-fewmatch-001`
    """
    from fewmask.cli.words import evaluation_options
    from fewmask.runs.run import open_runs
    from fewmask.tasks import report as task

    # The folder of a run may have a name with `=`, such as runs/lr=0.01.
    options = [word for word in runs if "=" in word and not Path(word).is_dir()]
    folders = [Path(word) for word in runs if word not in options]
    if not folders:
        raise UserError(f"{options[0]} is an option, but no run is named. Give a run folder first.")
    print(f"Report: {task.report(open_runs(folders, evaluation_options(options)), out)}")


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
