"""The program: its name, what its commands share, and how it ends when a user is mistaken."""

import sys
from typing import Annotated

import typer

from fewmask.errors import UserError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Train segmentation models from a few labeled and many unlabeled images.",
)


def _each_key_once(words: list[str] | None) -> list[str] | None:
    """Refuses `data.pool=0.tar data.pool=1.tar`, which a shell makes of `data.pool={0,1}.tar`."""
    options: dict[str, str] = {}
    for key, is_option, value in (word.partition("=") for word in words or []):
        if is_option and options.setdefault(key, value) != value:
            raise UserError(
                f"{key} is given twice: {options[key]} and {value}. Give one; if the shell made "
                f"two of it, quote the word: '{key}=...'."
            )
    return words


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="A recipe, and options such as data=photos.",
        callback=_each_key_once,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="Options such as seed=1.", callback=_each_key_once
    ),
]
Weights = Annotated[
    str, typer.Option(help="best, or a network of the last checkpoint: student, teacher ...")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is there already.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Runs a command; a user's mistake is one message and exit code 2."""
    try:
        app()
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # no room, no permission, a folder where a file should be
        if "--debug" in sys.argv:
            raise
        print(f"Error: the file system says: {error}", file=sys.stderr)
        sys.exit(2)
