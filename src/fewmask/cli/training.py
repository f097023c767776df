"""The command that trains one model; and what to know before: recipes, doctor, info."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fewmask.cli.app import Time, Words, command, length
from fewmask.errors import UserError, did_you_mean


@command()
def train(
    words: Words = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this run exactly where it stopped.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Start a new run from this run or checkpoint.")
    ] = None,
    new_head: Annotated[
        bool,
        typer.Option("--new-head", help="With --weights: all but the head, for other classes."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default: runs/DATA-METHOD-NNN.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    time: Time = None,
    devices: Annotated[int | None, typer.Option(help="How many devices to train on.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed for weights, batches and augmentation.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the complete recipe and stop.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Write a table of what a step spends its time on.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, take a few steps, write nothing.")
    ] = False,
) -> None:
    """Train a model.

    Examples: `fewmask train data=photos`, `fewmask train synthetic method=supervised seed=1`,
    `fewmask train --resume runs/photos-fewmatch-001`
    """
    words = [*(words or [])]
    words += [f"machine.devices={devices}"] if devices is not None else []
    words += [f"seed={seed}"] if seed is not None else []
    words += length(time)
    if resume is not None:
        _refuse_with_resume(words, weights, out, overwrite, profile)
        if not (print_config or dry_run):
            _resume(resume, words)
            return
    recipe = _recipe(words, resume)
    if print_config:
        print(recipe.to_yaml(), end="")
        return
    if resume is None:
        _say_settings(words, recipe)
    initial = _initial_weights(weights, new_head)
    if dry_run:
        _rehearse(recipe, initial)
    else:
        from fewmask.tasks import train as task

        _say_done(task.train(recipe, out, overwrite, initial, profile), profile)


def _recipe(words: list[str], resumed: Path | None) -> Any:
    """The recipe that the words mean, or that of a run with changes."""
    from fewmask.cli.words import parse_options, recipe_from_words
    from fewmask.runs.run import Run

    if resumed is None:
        return recipe_from_words(words)
    return Run.open(resumed, changes=parse_options(words)).recipe


def _initial_weights(place: Path | None, new_head: bool) -> Any:
    from fewmask.runs.initial_weights import InitialWeights

    if place is None and new_head:
        raise UserError("--new-head goes with --weights, which names the run to start from.")
    return None if place is None else InitialWeights.at(place, new_head)


def _say_settings(words: list[str], recipe: Any) -> None:
    """Prints the automatic settings, if it is they that run."""
    from fewmask.cli.words import automatic_settings
    from fewmask.engine.launch import is_first

    if is_first():
        print("\n".join(automatic_settings(words, [recipe])))


def _resume(folder: Path, options: list[str]) -> None:
    from fewmask.cli.words import parse_options
    from fewmask.tasks import train as task

    _say_done(task.resume(folder, parse_options(options)), profile=False)


def _rehearse(recipe: Any, weights: Any) -> None:
    from fewmask.engine import wording
    from fewmask.engine.devices import choose_accelerator
    from fewmask.tasks.rehearse import rehearse

    rehearsal = rehearse(recipe, weights)
    steps, each = rehearsal.recipe.training.steps, rehearsal.cost.step
    warning = wording.long_run(steps, each, choose_accelerator(rehearsal.recipe.machine))
    # A long duration is in the warning.
    whole = "" if warning else f", about {wording.duration(each * steps)} for {steps:,} steps"
    print(
        f"It runs: {each:.2f} s per step{whole}; peak memory {rehearsal.cost.memory_gib:.1f} GiB. "
        "Nothing was written."
    )
    if warning is not None:
        print(warning)


def _say_done(run: Any, profile: bool) -> None:
    """Prints scores and next steps after a training run, unless it was interrupted."""
    from fewmask.engine.launch import is_first
    from fewmask.run_folder.result import in_words

    # Under torchrun, every process gets here; one of them prints.
    if not is_first():
        return
    if profile and run.paths.profile.is_file():
        trace = run.paths.profile_trace.name
        print(f"Profile: {run.paths.profile}, and {trace} for https://ui.perfetto.dev")
    if run.is_finished:
        print(
            f"Done. {in_words(run.result)}\nRun folder: {run.folder}\nNext: fewmask predict "
            f"{run.folder} IMAGES --out predictions"
        )


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
        raise UserError(f"--resume continues a run as it is; {name} cannot be combined with it.")


@command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe.")] = None,
    ablation: Annotated[
        str | None,
        typer.Option(help="Print the commands that repeat the ablations of this method's paper."),
    ] = None,
) -> None:
    """List the shipped recipes, and the published scores to compare each one with.

    Examples: `fewmask recipes voc/imas`, `fewmask recipes --ablation imas`
    """
    from fewmask.recipes import shipped

    if ablation is not None:
        if name is not None:
            raise UserError(f"--ablation lists commands; the recipe {name} cannot be printed too.")
        print("\n".join(_ablation_commands(ablation)))
        return
    if name is not None:
        print(shipped.recipe_text(name), end="")
        if scores := shipped.published_scores(name):
            print("\n# The commands of the published scores:")
        for row in scores:
            print(f"# {row.miou:.2f}  {shipped.training_command(name, row)}")
        return
    for recipe in shipped.recipe_names():
        print(f"{recipe:24}{shipped.recipe_title(recipe)}")
        for row in shipped.published_scores(recipe):
            line = f"    {row.labeled:26}{row.miou:6.2f}  {row.encoder:18}  {row.source}"
            print("; ".join([line, " ".join(row.settings)] if row.settings else [line]))
    print(
        "\nBelow each recipe: its data.labeled lists, and the mIoU published for each list (best "
        "on val, unless the recipe says otherwise).\nfewmask recipes NAME prints a recipe with "
        "the origin of its numbers, and the command for each score."
    )


def _ablation_commands(method: str) -> list[str]:
    """A title and a command for each row of a paper's ablations."""
    from fewmask.methods.ablations import ROWS_OF
    from fewmask.recipes.shipped import published_scores

    if method not in ROWS_OF:
        raise UserError(f"--ablation {method}: unknown method. {did_you_mean(method, ROWS_OF)}")
    recipe = f"voc/{method}"
    labeled = published_scores(recipe)[0].labeled
    lines = []
    for title, words in ROWS_OF[method]:
        command = ["fewmask train", recipe, "data.root=VOC", f"data.labeled={labeled}", *words]
        lines += [f"# {title}", " ".join(command)]
    return lines


@command()
def doctor() -> None:
    """Check this machine: device, memory, disk, network. Each line says OK or what to do.

    Example: `fewmask doctor`
    """
    from fewmask.tasks.doctor import examine

    for line in examine():
        print(line)


@command()
def info() -> None:
    """Show versions, devices, and the names of methods, data sources and other parts."""
    from fewmask.data import SOURCES
    from fewmask.data.views.strong import STRONG_VIEWS
    from fewmask.engine.devices import environment
    from fewmask.engine.sinks import SINKS
    from fewmask.methods import METHODS
    from fewmask.models.decoders import DECODERS
    from fewmask.models.decoders.decoder import AUTO
    from fewmask.recipes.shipped import recipe_names

    for name, value in environment().items():
        print(f"{name:15} {value}")
    for title, names in (
        ("methods", METHODS),
        ("data sources", SOURCES),
        ("decoders", (AUTO, *DECODERS)),
        ("strong views", STRONG_VIEWS),
        ("sinks", SINKS),
        ("recipes", recipe_names()),
    ):
        print(f"{title:15} {', '.join(names)}")
