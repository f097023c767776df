"""Commands that use trained runs on images: predict, pseudo, rank."""

import re
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
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, or a best.pt or exported file.")],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Folders, glob patterns, .txt lists, images, videos, or URLs of images."
        ),
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
    overlay_video: Annotated[
        bool,
        typer.Option(
            "--overlay-video", help="Also join the overlays of each video to overlays/VIDEO.mp4."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Predict masks for new images, in your own label values, with overlays and confidence maps.

    Of a video, every frame is predicted: masks/VIDEO/000000.png and so on.

    Finished predictions are kept. If it is interrupted, run the same command again. If
    nothing was left to do, the exit code is 1.

    Example: `fewmask predict runs/photos-fewmatch-001 new_photos/ --out predictions`
    """
    from fewmask.tasks import predict as task
    from fewmask.tasks.engines import load_predictor

    predictor = load_predictor(run, weights, accelerator, engine)
    part, formats = _parse_share(share), _parse_formats(annotations)
    done = task.predict(predictor, images, out, part, overwrite, print, formats, overlay_video)
    _say_written(done, f"{out}/masks, {out}/overlays, {out}/confidence", out, bool(formats))


@command()
def pseudo(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    options: Options = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("pseudo"),
    threshold: Annotated[
        float, typer.Option(help="Pixels with lower confidence get no label in masks/.")
    ] = 0.9,
    only: Annotated[
        Path | None,
        typer.Option(help="A list of the images to export, such as the to_label.txt of rank."),
    ] = None,
    weights: Weights = "best",
    annotations: Annotations = "",
    overwrite: Overwrite = False,
) -> None:
    """Export pseudo-labels of the unlabeled images, to be corrected and used as masks.

    To correct: full/ has masks in which every pixel has a label, and unsure/ is white where to
    look. Put corrected masks into the masks folder of the data, and the next run uses them as
    labels. To train without a correction: in masks/, unsure pixels have no label.

    If the photos have moved: `data.root=PLACE`.

    Example: `fewmask pseudo runs/photos-fewmatch-001 --only to_label.txt`
    """
    from fewmask.cli.words import evaluation_options
    from fewmask.runs.run import Run
    from fewmask.tasks import pseudo as task

    opened = Run.open(run, evaluation_options(options or []), needs_unlabeled=True)
    formats = _parse_formats(annotations)
    done = task.pseudo_labels(opened, out, threshold, weights, overwrite, print, formats, only)
    more = f", {out}/full, {out}/unsure" if threshold > 0 else ""
    folders = f"{out}/masks{more}, {out}/overlays, {out}/confidence"
    _say_written(done, folders, out, bool(formats))


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
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    index, shares = map(int, found.groups()) if found else (0, 0)
    if not 1 <= index <= shares:
        raise UserError(f"--share={text[:40]}: expected i/n with 1 <= i <= n, such as 1/4.")
    return index - 1, shares


def _parse_formats(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _say_written(done: "Predicted", folders: str, out: Path, has_annotations: bool) -> None:
    """Says what was written. The exit code is 1 if an image is missing, or nothing was done."""
    count = len(done.names) - len(done.failures)
    before = f" ({done.kept} of them earlier)" if done.kept else ""
    if count > done.kept:
        print(
            f"{count} image(s) predicted{before}: {folders}; the share of each class per photo: "
            f"{out}/areas.csv"
        )
    elif done.kept:
        print(
            f"Nothing was left to predict: {out} has the predictions of {count} image(s). To "
            "predict them again: --overwrite"
        )
    else:
        print("Nothing was predicted.")
    for video in done.videos:
        print(f"Overlay video: {video}")
    if done.failures:
        print(f"{len(done.failures)} image(s) could not be read; see the messages above.")
    did_more = has_annotations or done.videos
    if done.failures or (count == done.kept and not did_more):
        raise typer.Exit(1)
