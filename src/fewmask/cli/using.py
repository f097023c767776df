"""Commands that use trained runs: evaluate, report, results, predict, pseudo, rank."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewmask.cli.app import Debug, Overrides, Overwrite, Weights, app
from fewmask.errors import UserError

if TYPE_CHECKING:
    from fewmask.tasks.predict import Predicted


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    overrides: Overrides = None,
    weights: Weights = "best",
    closely: Annotated[
        bool, typer.Option("--closely", help="Boundary IoU and calibration too; one device.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Score a trained run, class by class.

    Example: `fewmask evaluate runs/photos-imas-001 evaluation.flip=true`
    """
    from rich.console import Console
    from rich.table import Table

    from fewmask.tasks import train

    closer = ""
    if closely:
        classes, found = train.examine(run, *(overrides or []), weights=weights)
        scores = found.scores
        closer = (
            f"boundary IoU {found.boundary_iou:.2f}   expected calibration error "
            f"{found.calibration_error:.2f}"
        )
    else:
        classes, scores = train.evaluate(run, *(overrides or []), weights=weights)
    table = Table("class", "IoU %", title=f"{run}, {weights}")
    for name, iou in zip(classes.names, scores.iou, strict=True):
        table.add_row(name, "absent" if iou != iou else f"{iou:.2f}")
    Console().print(table)
    print(f"mIoU {scores.miou:.2f}   pixel accuracy {scores.pixel_accuracy:.2f}")
    if closer:
        print(closer)
    if weights == "best":
        print("The best checkpoint was chosen on these validation images.")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="One run folder, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(help="The file; default: report.html in the first run.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write one HTML page: curves, classes, confusions, calibration, a gallery of the worst images.

    It needs no network and can be mailed as it is.

    Example: `fewmask report runs/photos-imas-001`
    """
    from fewmask.tasks import report

    print(f"Report: {report.report(runs, out)}")


@app.command()
def results(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")], debug: Debug = False
) -> None:
    """Put the scores of finished runs side by side, and say what cannot be compared.

    Example: `fewmask results runs/voc-*`
    """
    from fewmask.run_folder.result import read_result, table, warnings

    read = [read_result(run) for run in runs]
    print(f"mIoU on val in %\n{table(read)}")
    print("last: after the last step. best: the highest evaluation, selected on val itself.")
    for warning in warnings(read):
        print(f"Warning: {warning}")


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, or a best.pt file.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, glob patterns, .txt lists or images.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("predictions"),
    weights: Weights = "best",
    shard: Annotated[
        str, typer.Option(help="Only part i of n of the images: 1/4, for several machines.")
    ] = "1/1",
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Label new images: masks with the values of your own, color overlays, confidence.

    What is there already is kept: after a stop, give the same command again.

    Example: `fewmask predict runs/photos-imas-001 new_photos/ --out predictions`
    """
    from fewmask.tasks.predict import predict as predict_images

    done = predict_images(run, images, out, weights, share=_share(shard), overwrite=overwrite)
    _say_written(done, out)


@app.command()
def pseudo(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("pseudo"),
    threshold: Annotated[float, typer.Option(help="Pixels less sure than this get none.")] = 0.9,
    weights: Weights = "best",
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Export pseudo-labels of the unlabeled images, to be corrected and used as masks.

    Put the corrected ones into the masks folder of the data: the next run takes them as labels.

    Example: `fewmask pseudo runs/photos-imas-001 --threshold 0.95`
    """
    from fewmask.tasks.predict import pseudo_labels

    _say_written(pseudo_labels(run, out, threshold, weights, overwrite), out)


@app.command()
def rank(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    count: Annotated[int, typer.Option(min=1, help="How many images to choose.")] = 20,
    by: Annotated[str, typer.Option(help="disagreement, entropy or easiness (iMAS).")] = "entropy",
    out: Annotated[Path | None, typer.Option(help="Default: RUN/rank.")] = None,
    debug: Debug = False,
) -> None:
    """Choose the unlabeled images to label next: the ones the run knows least, of many kinds.

    Writes rank.csv, to_label.txt, next_labeled.txt and a contact sheet.

    Example: `fewmask rank runs/photos-imas-001 --count 10`
    """
    from fewmask.tasks import rank

    out = out or run / "rank"
    chosen = rank.rank(run, count, by, out)
    print(f"Label next, the first first: {', '.join(chosen[:10])}" + " ..." * (len(chosen) > 10))
    print(f"Order of all: {out}/rank.csv; to look at: {out}/to_label.png; list: {out}/to_label.txt")
    if held_out := rank.held_out(run):
        print(f"To score the next run on the same val images: data.val={held_out}")


def _share(shard: str) -> tuple[int, int]:
    part, slash, parts = shard.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UserError(f"--shard={shard}: expected i/n with 1 <= i <= n, such as 1/4.")
    return int(part) - 1, int(parts)


def _say_written(done: "Predicted", out: Path) -> None:
    before = f" ({done.kept} of them before)" if done.kept else ""
    print(
        f"{len(done.names) - len(done.failures)} image(s) predicted{before}: {out}/masks, "
        f"{out}/overlays, {out}/confidence"
    )
    if done.failures:
        print(f"{len(done.failures)} image(s) could not be read, see above.")
        raise typer.Exit(1)
