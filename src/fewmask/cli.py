"""The commands. Each is one call into the Python API, with help and errors a person can act on."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fewmask.errors import UserError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Train segmentation models from a few labeled and many unlabeled images.",
)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...", help="A recipe, and options such as data=photos."
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options such as seed=1.")
]
Weights = Annotated[
    str, typer.Option(help="best, or a network of the last checkpoint: student, teacher ...")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command()
def demo(
    overrides: Overrides = None,
    methods: Annotated[
        str, typer.Option(help="Methods, with commas between them, or all.")
    ] = "supervised,imas",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 1,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("runs/demo"),
    debug: Debug = False,
) -> None:
    """Train methods side by side on built-in scenes: nothing to download, minutes on a laptop."""
    from rich.console import Console

    from fewmask import demo as demonstration
    from fewmask.methods import METHODS

    names = [*METHODS] if methods == "all" else methods.split(",")
    rows, data = demonstration.demo(names, range(seeds), overrides or [], out)
    if not rows:
        return
    demonstration.picture(rows, data.val, data.classes, out / "demo.png")
    Console().print()
    Console().print(demonstration.table(rows, data.classes, len(data.labeled), len(data.unlabeled)))
    print(
        f"\nPredictions side by side: {out / 'demo.png'}\nRuns: "
        + ", ".join(str(folder) for row in rows for folder in row.folders)
    )


@app.command()
def train(
    words: Words = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run folder exactly.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Start a new run from this checkpoint.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default: runs/DATA-METHOD-NNN.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    devices: Annotated[int | None, typer.Option(help="How many devices to train on.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws weights, batches and views.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the complete recipe and stop.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, take two steps, write nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Train a model.

    Examples: `fewmask train data=photos`, `fewmask train synthetic method=supervised seed=1`,
    `fewmask train --resume runs/photos-imas-001`
    """
    words = [*(words or [])]
    words += [f"machine.devices={devices}"] if devices is not None else []
    words += [f"seed={seed}"] if seed is not None else []
    if print_config:
        from fewmask.recipe import load_recipe, split_words

        print(load_recipe(*split_words(words)).to_yaml(), end="")
        return
    from fewmask import api

    if dry_run:
        resolved, seconds, memory = api.rehearse(*words)
        hours = seconds * resolved.training.steps / 3600
        print(
            f"Everything fits. {seconds:.2f} s per step, about {hours:.1f} h for "
            f"{resolved.training.steps} steps; peak memory {memory:.1f} GiB. Nothing was written."
        )
        return
    if resume is not None:
        _refuse_with_resume(words, weights, out, overwrite)
        run = api.resume(resume, *words)
    else:
        run = api.train(*words, out=out, overwrite=overwrite, weights=weights)
    if run.scores:
        shown = ", ".join(f"{name} {s.miou:.2f}" for name, s in run.scores.items())
        print(
            f"Done. mIoU after the last step: {shown}\nRun folder: {run.folder}\nNext: fewmask "
            f"predict {run.folder} IMAGES --out predictions"
        )


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    overrides: Overrides = None,
    weights: Weights = "best",
    debug: Debug = False,
) -> None:
    """Score a trained run, class by class.

    Example: `fewmask evaluate runs/photos-imas-001 evaluation.flip=true`
    """
    from rich.console import Console
    from rich.table import Table

    from fewmask import api

    classes, scores = api.evaluate(run, *(overrides or []), weights=weights)
    table = Table("class", "IoU %", title=f"{run}, {weights}")
    for name, iou in zip(classes.names, scores.iou, strict=True):
        table.add_row(name, "absent" if iou != iou else f"{iou:.2f}")
    Console().print(table)
    print(f"mIoU {scores.miou:.2f}   pixel accuracy {scores.pixel_accuracy:.2f}")
    if weights == "best":
        print("The best checkpoint was chosen on these validation images.")


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, or a best.pt file.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, glob patterns, .txt lists or images.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("predictions"),
    weights: Weights = "best",
    debug: Debug = False,
) -> None:
    """Label new images: index masks, colour overlays, confidence.

    Example: `fewmask predict runs/photos-imas-001 new_photos/ --out predictions`
    """
    from fewmask.prediction import predict as predict_images

    done = predict_images(run, images, out, weights)
    print(
        f"{len(done.names) - len(done.failures)} image(s) predicted: {out}/masks, {out}/overlays, "
        f"{out}/confidence"
    )
    if done.failures:
        print(f"{len(done.failures)} image(s) could not be read, see above.")
        raise typer.Exit(1)


@app.command()
def info(debug: Debug = False) -> None:
    """Show versions, devices, methods, data sources and recipes."""
    from fewmask.api import environment
    from fewmask.data import SOURCES
    from fewmask.methods import METHODS
    from fewmask.recipe import recipe_names

    for name, value in environment().items():
        print(f"{name:15} {value}")
    for title, names in (
        ("methods", METHODS),
        ("data sources", SOURCES),
        ("recipes", recipe_names()),
    ):
        print(f"{title:15} {', '.join(names)}")


def _refuse_with_resume(words: list[str], weights: Any, out: Any, overwrite: bool) -> None:
    given = {
        "a recipe": bool(words) and "=" not in words[0],
        "--weights": weights is not None,
        "--out": out is not None,
        "--overwrite": overwrite,
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise UserError(f"--resume continues a run as it is; {name} cannot be given with it.")


def main() -> None:
    """Runs a command; a user's mistake is one message and exit code 2."""
    try:
        app()
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
