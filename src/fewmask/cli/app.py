"""The program: options that commands share, and how a mistake of the user ends it."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from fewmask.cli.printing import make_printable
from fewmask.errors import Stopped, UserError, nearest

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Train segmentation models from a few labeled and many unlabeled images.",
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from fewmask.engine.devices import environment

        print(f"fewmask {environment()['fewmask']}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version)
    ] = False,
) -> None:
    """Options of the program itself."""


def checked_words(context: typer.Context, words: list[str] | None) -> list[str] | None:
    """Refuses `--steps 100`, and `data.pool=0.tar data.pool=1.tar`.

    A shell makes the latter of `data.pool={0,1}.tar`. Other options may repeat, and the last value
    counts: you can append options to a script's own.
    """
    for word in words or []:
        if word.startswith("-"):
            raise UserError(_without_dashes(word, context))
    options = [word.partition("=") for word in words or []]
    for (key, is_option, first), (following, _, second) in pairwise(options):
        if key.startswith("data") and is_option and key == following and first != second:
            raise UserError(
                f"{key} is given twice: {first} and {second}. Give one value. If your shell split "
                f"one word into two, quote it: '{key}=...'."
            )
    return words


def _without_dashes(word: str, context: typer.Context) -> str:
    """What to write for an option that the command does not have."""
    name = word.partition("=")[0]
    near = nearest(name, [o for p in context.command.params for o in p.opts if o[:2] == "--"])
    meant = f" Did you mean {near}?" if near else ""
    return (
        f"{name}: no such option.{meant} Settings have no dashes: data=photos, training.steps=100. "
        f"All options: fewmask {context.info_name} --help."
    )


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="A recipe, and options such as data=photos.",
        callback=checked_words,
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="Options such as seed=1.", callback=checked_words
    ),
]
Weights = Annotated[
    str,
    typer.Option(help="best, or a network of the last checkpoint, such as student."),
]
Time = Annotated[
    str | None,
    typer.Option(help="How long a run is to take (30m, 2h, 1h30m); it decides training.steps."),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace existing output, but not what you changed in it."),
]


Trust = Annotated[
    list[str] | None,
    typer.Option(
        help="Your own module, such as my_lab, or a run folder or file, whose names are followed "
        "(docs/security.md). Repeat it for more."
    ),
]
FOLLOWS_NO_NAMES = ("import", "info", "prepare", "recipes", "results")
"""Commands that import no class by name, so there is nothing to trust."""
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def length(time: str | None) -> list[str]:
    """`--time 1h30m` as an option of the recipe."""
    from fewmask.cli.words import minutes

    return [] if time is None else [f"training.minutes={minutes(time):g}"]


Function = Callable[..., None]


def command(name: str | None = None) -> Callable[[Function], Function]:
    """Registers a function as a command, and adds the options `--trust` and `--debug` to it."""

    def register(function: Function) -> Function:
        trusts = (name or function.__name__) not in FOLLOWS_NO_NAMES

        @wraps(function)
        def run(debug: bool = False, trust: list[str] | None = None, **options: Any) -> None:
            with _ending(debug):
                _allow(trust or ())
                function(**options)

        # Typer reads the options from the signature, so these must appear in it.
        added: dict[str, Any] = ({"trust": Trust} if trusts else {}) | {"debug": Debug}
        options = [_option(word, kind) for word, kind in added.items()]
        own = signature(function)
        run.__signature__ = own.replace(parameters=[*own.parameters.values(), *options])  # type: ignore[attr-defined]
        run.__annotations__ = {**function.__annotations__, **added}
        # An unknown option is then a word, and a message can say what was meant.
        takes_words = any(p.annotation is Words for p in own.parameters.values())
        app.command(name, context_settings={"ignore_unknown_options": takes_words})(run)
        return function

    return register


@contextmanager
def _ending(debug: bool) -> Iterator[None]:
    """Ends the program as shells expect it after a signal, and with a traceback if asked."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt as stop:
        # As a program that the signal itself ends, so that a shell does not go on.
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        if not isinstance(stop, Stopped):
            print("Stopped.", file=sys.stderr)
        raise typer.Exit(128 + number) from None
    except Exception:
        if not debug:
            raise
        _print_traceback_and_machine()
        raise typer.Exit(1) from None


def _option(word: str, kind: Any) -> Parameter:
    default = {"trust": None, "debug": False}[word]
    return Parameter(word, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _print_traceback_and_machine() -> None:
    from fewmask.tasks.doctor import examine

    traceback.print_exc()
    print(*examine(), sep="\n", file=sys.stderr)


def _allow(trusted: Sequence[str]) -> None:
    if trusted:
        from fewmask.config import allow

        allow(*trusted)


def main() -> None:
    """Runs a command. A mistake of the user ends it with one message and exit code 2."""
    make_printable()
    try:
        app()
    except UserError as error:
        _print_error(str(error))
        sys.exit(2)
    except OSError as error:  # a full disk, a missing permission, a folder instead of a file
        _print_error(f"the file system reports: {error}")
        sys.exit(2)
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            _print_error(f"there is not enough memory. {error} {LESS}")
            sys.exit(2)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        _print_error(f"{type(error).__name__}: {error} ({where}). {OURS}")
        sys.exit(1)


def _print_error(text: str) -> None:
    """Prints a message. What is wrong with a name, or a line, may be that it has no end."""
    middle = f" ... ({len(text) - LONGEST:,} characters left out) ... "
    cut = text[: LONGEST // 2] + middle + text[-LONGEST // 2 :]
    print(f"Error: {text if len(text) <= LONGEST else cut}", file=sys.stderr)


LONGEST = 4000
"""Characters of a message."""


NO_MEMORY = ("can't allocate memory", "Insufficient memory", "can't start new thread")
"""What torch, OpenCV and Python say, which raise other errors."""
LESS = "Use smaller images (data.long_side), crops or batches, or close other programs."
OURS = (
    "This is a defect of fewmask. Please report it with what the same command prints with --debug."
)
