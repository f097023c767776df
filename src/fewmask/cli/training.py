"""Commands that train: demo, compare, train; and what one looks up before: recipes, info."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fewmask.cli.app import Debug, Overrides, Words, app
from fewmask.errors import UserError

Methods = Annotated[str, typer.Option(help="Methods, with commas between them, or all.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each method.")]
Out = Annotated[Path, typer.Option(help="Where to write.")]


@app.command()
def demo(
    overrides: Overrides = None,
    methods: Methods = "supervised,imas",
    seeds: Seeds = 1,
    out: Out = Path("runs/demo"),
    debug: Debug = False,
) -> None:
    """Train methods side by side on built-in scenes: nothing to download, minutes on a laptop."""
    _compare(["synthetic", *(overrides or [])], methods, seeds, out, "demo.png")


@app.command()
def compare(
    words: Words = None,
    methods: Methods = "supervised,imas",
    seeds: Seeds = 3,
    out: Out = Path("runs/comparison"),
    debug: Debug = False,
) -> None:
    """Train methods x seeds, all else equal, and say whether the unlabeled images helped.

    Finished runs are kept and interrupted ones resumed: after a stop, give the same command again.

    Example: `fewmask compare data=photos training.steps=4000 --methods supervised,imas,pcr`
    """
    _compare(words or [], methods, seeds, out, "comparison.png")


def _compare(words: list[str], methods: str, seeds: int, out: Path, picture: str) -> None:
    from rich.console import Console

    from fewmask.methods import METHODS
    from fewmask.tasks import compare, report

    names = compare.known_methods(methods, [*METHODS])
    done = compare.compare(words, names, range(seeds), out)
    if done is None:
        return
    compare.picture(done, out / picture)
    said = compare.verdict(done)
    page = report.report([row.folders[0] for row in done.rows], out / "report.html", said)
    Console().print()
    Console().print(compare.table(done))
    Console().print(compare.class_table(done))
    print("\n".join(said))
    print(f"\nReport: {page}\nPicture: {out / picture}\nRuns: {out}/METHOD-seedN")


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
    profile: Annotated[
        bool, typer.Option("--profile", help="Write what a step spends its time on.")
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
        from fewmask.recipes.recipe import load_recipe, split_words

        print(load_recipe(*split_words(words)).to_yaml(), end="")
        return
    from fewmask.tasks import train

    if dry_run:
        resolved, seconds, memory = train.rehearse(*words)
        hours = seconds * resolved.training.steps / 3600
        whole = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
        print(
            f"Everything fits. {seconds:.2f} s per step, about {whole} for "
            f"{resolved.training.steps} steps; peak memory {memory:.1f} GiB. Nothing was written."
        )
        return
    if resume is not None:
        _refuse_with_resume(words, weights, out, overwrite, profile)
        run = train.resume(resume, *words)
    else:
        run = train.train(*words, out=out, overwrite=overwrite, weights=weights, profile=profile)
    if (run.folder / "profile.txt").is_file() and profile:
        print(f"Profile: {run.folder}/profile.txt, and profile_trace.json for ui.perfetto.dev")
    if run.scores:
        from fewmask.run_folder.result import in_words, read_result

        print(
            f"Done. {in_words(read_result(run.folder))}\nRun folder: {run.folder}\nNext: fewmask "
            f"predict {run.folder} IMAGES --out predictions"
        )


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as it stands.")] = None,
    debug: Debug = False,
) -> None:
    """List the shipped recipes, and the published scores each is to be compared with.

    Example: `fewmask recipes voc/imas`
    """
    from fewmask.recipes.recipe import published_scores, recipe_names, recipe_text, recipe_title

    if name is not None:
        print(recipe_text(name), end="")
        return
    for recipe in recipe_names():
        print(f"{recipe:24}{recipe_title(recipe)}")
        for row in published_scores(recipe):
            print(f"    {row.labeled:26}{row.miou:6.2f}  {row.encoder:11} {row.source}")
    print(
        "\nBelow a recipe: data.labeled, and the mIoU published for it (best on val unless the "
        "recipe says otherwise).\nfewmask recipes NAME prints a recipe with the origin of its "
        "numbers."
    )


@app.command()
def info(debug: Debug = False) -> None:
    """Show versions, devices, methods, data sources and recipes."""
    from fewmask.data import SOURCES
    from fewmask.methods import METHODS
    from fewmask.recipes.recipe import recipe_names
    from fewmask.runs.files import environment

    for name, value in environment().items():
        print(f"{name:15} {value}")
    for title, names in (
        ("methods", METHODS),
        ("data sources", SOURCES),
        ("recipes", recipe_names()),
    ):
        print(f"{title:15} {', '.join(names)}")


def _refuse_with_resume(
    words: list[str], weights: Any, out: Any, overwrite: bool, profile: bool
) -> None:
    given = {
        "a recipe": bool(words) and "=" not in words[0],
        "--weights": weights is not None,
        "--out": out is not None,
        "--overwrite": overwrite,
        "--profile": profile,
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise UserError(f"--resume continues a run as it is; {name} cannot be given with it.")
