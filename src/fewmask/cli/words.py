"""Turns the words of a command line into a recipe. Everything below `cli` takes a Recipe."""

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from fewmask.config import parse_yaml
from fewmask.errors import UserError, did_you_mean
from fewmask.methods import AUTO, BEST, METHODS
from fewmask.recipes.automatic import described
from fewmask.recipes.comparing import load_comparison
from fewmask.recipes.loading import load_recipe
from fewmask.recipes.recipe import Recipe

SECTIONS_WITH_NAME = ("data", "method", "model.decoder")
"""`method=pcr` is short for `method.name=pcr`."""


EVALUATION_SECTIONS = ("data", "evaluation", "machine")
"""What an evaluation may do differently from training."""


def recipe_from_words(words: Sequence[str | Path]) -> Recipe:
    """The recipe that the words of a command describe.

    Args:
        words: a shipped recipe or a YAML file, if any, then options as `key=value`.

    Raises:
        UserError: for an unknown recipe, key or value.

    Example:
        recipe_from_words(["synthetic", "method=imas", "training.steps=200"])
    """
    base, options = split_words(words)
    return load_recipe(base, parse_options(options))


def comparison_recipes(
    words: Sequence[str], methods: Sequence[str], seeds: Iterable[int]
) -> list[Recipe]:
    """One recipe per method and seed, with all other settings equal.

    `method.KEY=VALUE` is for every method that has the option, `methods.imas.KEY=VALUE` for iMAS.

    Raises:
        UserError: if the words name a method or a seed, or an option that none of the methods has.
    """
    base, options = split_words(words)
    for option in options:
        if option.startswith(("method=", "method.name=", "methods=", "seed=")):
            raise UserError(
                f"{option}: a comparison takes methods and seeds from --methods and --seeds."
            )
    return load_comparison(base, parse_options(options), methods, seeds)


def automatic_settings(words: Sequence[str | Path], recipes: Sequence[Recipe]) -> list[str]:
    """What was chosen for the user, a line each; nothing if the words name a recipe.

    Args:
        words: of the command.
        recipes: that they describe, equal apart from method and seed.
    """
    base, _ = split_words(words)
    return described(recipes) if base in (None, AUTO) else []


def method_names(text: str, known: Sequence[str]) -> list[str]:
    """Method names from `a,b,c` or `all`; `auto` is our best method.

    Raises:
        UserError: for an unknown method, or a method that is named twice.
    """
    names = [*known] if text == "all" else text.split(",")
    names = [BEST if name == AUTO else name for name in names]
    for name in names:
        if name not in known and ":" not in name:
            raise UserError(f"--methods: unknown method '{name}'. {did_you_mean(name, known)}")
    if len(set(names)) < len(names):
        raise UserError("--methods names a method twice. Name each method once.")
    return names


def split_words(words: Sequence[str | Path]) -> tuple[str | Path | None, list[str]]:
    """The recipe, if the first word is one (it has no `=`), and the options."""
    if words and "=" not in str(words[0]):
        return words[0], [str(word) for word in words[1:]]
    return None, [str(word) for word in words]


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """Turns `["method.threshold=0.9", "data=camvid"]` into nested values.

    Values are read as YAML: `true`, `0.1`, `[1, 2]` and `null` have their usual meaning.

    Raises:
        UserError: for a word that is not `key=value`.
    """
    nested: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key:
            raise UserError(f"'{option}' is not an option. {_with_its_key(option)}")
        *parents, leaf = _names(key.strip())
        is_name = key.strip() in SECTIONS_WITH_NAME and not text.lstrip().startswith("{")
        if is_name:
            parents, leaf = [*parents, leaf], "name"
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise UserError(
                    f"'{option}': {parent} already has a value, so it cannot have options."
                )
        # A name is not read as YAML: a folder may be called 2024-05-01, which YAML reads as a date.
        inner[leaf] = text if is_name else _parse_value(text, option)
    return nested


def _with_its_key(word: str) -> str:
    """What the user may have meant by a word without a key."""
    if os.path.exists(os.path.expanduser(word)):
        return f"Did you mean {shlex.quote(f'data={word}')}?"
    if word.lower() in METHODS:
        return f"Did you mean method={word.lower()}?"
    return "Write options as key=value, for example training.steps=2000."


def _names(key: str) -> list[str]:
    """The names in a dotted key. In `methods.package.module:Class.KEY`, a method is one of them."""
    section, _, rest = key.partition(".")
    if section != "methods" or ":" not in rest:
        return key.split(".")
    module, _, rest = rest.partition(":")
    own_class, *others = rest.split(".")
    return [section, f"{module}:{own_class}", *others]


def evaluation_options(options: Iterable[str]) -> dict[str, Any]:
    """Options that may differ from training when a run is evaluated, as nested values.

    Raises:
        UserError: for any other option, which would have no effect.
    """
    changes = parse_options(options)
    for section in changes:
        if section not in EVALUATION_SECTIONS:
            allowed = ", ".join(f"{name}.*" for name in EVALUATION_SECTIONS)
            raise UserError(
                f"{section}: this option cannot change when a run is evaluated. You can change "
                f"{allowed}."
            )
    return changes


def _parse_value(text: str, option: str) -> Any:
    if text.startswith("{name}"):
        return text  # a pattern of paths; YAML would take it for a mapping
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        if text[:1] in "[{" and text.count(text[0]) > text.count("]}"["[{".index(text[0])]):
            raise UserError(
                f"'{option}' is cut off. Your shell splits words at blanks: put the whole option "
                "in quotes, as in 'data.names=[soil, weed]'."
            ) from None
        reason = getattr(error, "problem", None) or error
        raise UserError(f"'{option}': the value cannot be read as YAML ({reason}).") from None
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)  # YAML reads 1e-3 as text, but people mean the number
    return value


def minutes(text: str) -> float:
    """The minutes of a duration such as `30m`, `2h`, `1h30m` or `90s`.

    Raises:
        UserError: if it is none.
    """
    found = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?", text.replace(" ", ""))
    try:
        hours, whole, seconds = (float(part or 0) for part in found.groups()) if found else (0,) * 3
    except ValueError:  # 1.2.3h
        hours = whole = seconds = 0
    total = 60 * hours + whole + seconds / 60
    if total <= 0:
        raise UserError(f"--time {text}: expected a duration, such as 30m, 2h or 1h30m.")
    return total
