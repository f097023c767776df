"""Commands that train several methods side by side: demo, compare."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewmask.cli.app import Options, Time, Words, command, length
from fewmask.cli.printing import show

if TYPE_CHECKING:
    from fewmask.report.comparison import Comparison

DEMO_METHODS = "supervised,imas"
"""What `fewmask demo` compares."""
OWN_IMAGES_METHODS = "supervised,auto"
"""What `fewmask compare` and `fewmask demo --data FOLDER` compare."""
SHORT_RUN = "4.5m"
"""How long each run on own images takes, so that two methods with three seeds take half an hour."""
ENOUGH_SEEDS = 3
"""Fewer runs of each method say little of other seeds."""

Methods = Annotated[str, typer.Option(help="Methods, separated by commas, or all.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each method.")]
Out = Annotated[Path, typer.Option(help="The folder to write to.")]


@command()
def demo(
    options: Options = None,
    data: Annotated[
        Path | None, typer.Option(help="A folder of your own images instead of the scenes.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas, or all.  \n"
            f"[default: {DEMO_METHODS}; with --data, {OWN_IMAGES_METHODS}]"
        ),
    ] = None,
    seeds: Seeds = 1,
    time: Time = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write to.  \n[default: runs/demo; with --data, runs/demo-data]"
        ),
    ] = None,
) -> None:
    """Train methods side by side on built-in scenes: no download, minutes on a laptop.

    With `--data photos`, train on a folder of your own: a first look at whether your unlabeled
    images help.
    """
    if data is None:
        words = ["synthetic", *(options or []), *length(time)]
        _compare(words, methods or DEMO_METHODS, seeds, out or Path("runs/demo"), "demo.png")
        return
    words, methods = [f"data={data}", *(options or [])], methods or OWN_IMAGES_METHODS
    folder = out or Path("runs/demo-data")
    _compare(_with_length(words, time), methods, seeds, folder, "demo.png")
    if seeds < ENOUGH_SEEDS:
        print(
            "This was a first look. To compare properly: fewmask compare "
            f"{shlex.join([*words, '--methods', methods, '--seeds', str(ENOUGH_SEEDS)])}"
        )


@command()
def compare(
    words: Words = None,
    methods: Methods = OWN_IMAGES_METHODS,
    seeds: Seeds = ENOUGH_SEEDS,
    time: Time = None,
    lists: Annotated[
        str | None,
        typer.Option(
            help="Lists of labeled images, separated by commas: each is compared in its own folder."
        ),
    ] = None,
    out: Out = Path("runs/comparison"),
) -> None:
    """Train several methods with several seeds, and report whether the unlabeled images helped.

    `method.KEY=VALUE` is for all methods that have the option, `methods.imas.KEY=VALUE` for iMAS.
    Finished runs are kept and interrupted ones resumed: after an interruption, run the same
    command again.

    Without a recipe, each run takes 4.5 minutes; give `--time 25m` for runs as long as those of
    `fewmask train`.

    With `--lists 92,183`, repeat a row of a paper's table: one comparison for each list, and at the
    end all scores, with the published ones below. Numbers mean the lists of the recipe's scores.

    Examples: `fewmask compare data=photos --methods supervised,auto,imas --time 10m`,
    `fewmask compare voc/imas data.root=VOC --lists 92,183,366 --methods supervised,imas`
    """
    words = _with_length(words or [], time)
    if lists is None:
        _compare(words, methods, seeds, out, "comparison.png")
    else:
        _compare_lists(words, lists.split(","), methods, seeds, out)


def _with_length(words: list[str], time: str | None) -> list[str]:
    """The words with the length of each run, if they name neither it nor a recipe."""
    is_own = bool(words) and "=" not in words[0]
    lengths = ("training.steps=", "training.epochs=", "training.minutes=")
    if time is None and (is_own or any(word.startswith(lengths) for word in words)):
        return words
    return [*words, *length(time or SHORT_RUN)]


def _compare_lists(words: list[str], lists: list[str], methods: str, seeds: int, out: Path) -> None:
    """Trains and reports with each list of labeled images, then shows all scores together."""
    from fewmask.cli.lists import list_words, published_rows
    from fewmask.report.list_table import list_table

    each = list_words(words, lists)
    for name in each:
        _require_free(out / name, "comparison.png")
    done = {}
    for name, own in each.items():
        print(f"\n--- {own[-1]} ---")
        done[name] = _compare(own, methods, seeds, out / name, "comparison.png")
    published = published_rows(each, done)
    print()
    show(list_table(done, published))
    print("last: after the last step. best: the highest evaluation, selected on val itself.")
    if any(score is not None for scores in published.values() for score in scores):
        print("published: fewmask recipes says where each score comes from.")


def _compare(words: list[str], methods: str, seeds: int, out: Path, picture: str) -> "Comparison":
    """Trains and reports."""
    # Heavy packages are imported inside the commands, so that help appears at once.
    from fewmask.cli.words import automatic_settings, comparison_recipes, method_names
    from fewmask.methods import METHODS
    from fewmask.report.comparison import class_table, table
    from fewmask.report.verdict import verdict
    from fewmask.runs.run import Run
    from fewmask.tasks import compare as task
    from fewmask.tasks.report import report

    page_file = _require_free(out, picture)
    recipes = comparison_recipes(words, method_names(methods, [*METHODS]), range(seeds))
    print("\n".join(automatic_settings(words, recipes)))
    done = task.compare(recipes, out)
    task.picture(done, out / picture)
    sentences = verdict(done)
    first_seed = [Run.open(row.folders[0], data=done.data) for row in done.rows]
    page = report(first_seed, page_file, sentences)
    print()
    show(table(done))
    show(class_table(done))
    print("\n".join(sentences))
    print(f"\nReport: {page}\nPicture: {out / picture}\nRuns: {out}/METHOD-seedN")
    return done


def _require_free(out: Path, picture: str) -> Path:
    """The page to write. Neither it nor the picture may be the user's: to know before training."""
    from fewmask.data.own_files import OwnFiles
    from fewmask.run_folder.paths import RunPaths

    page = RunPaths(out).report
    OwnFiles(out).require_free(out / picture, page)
    return page
