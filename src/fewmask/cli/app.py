"""The program: its name, what its commands share, and how it ends when a user is mistaken."""

import sys
from itertools import pairwise
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


def _not_twice_in_a_row(words: list[str] | None) -> list[str] | None:
    """Refuses `data.pool=0.tar data.pool=1.tar`, which a shell makes of `data.pool={0,1}.tar`.

    Of other options the last of several values counts: a script's defaults can be overridden.
    """
    options = [word.partition("=") for word in words or []]
    for (key, is_option, first), (following, _, second) in pairwise(options):
        if key.startswith("data") and is_option and key == following and first != second:
            raise UserError(
                f"{key} is given twice: {first} and {second}. Give one; if the shell made two of "
                f"it, quote the word: '{key}=...'."
            )
    return words


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="A recipe, and options such as data=photos.",
        callback=_not_twice_in_a_row,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="Options such as seed=1.", callback=_not_twice_in_a_row
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
