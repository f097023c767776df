"""Composes the recipes of a comparison: options for all of its methods, and for single ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fewmask.config import trust
from fewmask.errors import UserError, did_you_mean
from fewmask.recipes.loading import Values, load_recipe
from fewmask.recipes.recipe import Recipe, method_class


def load_comparison(
    base: str | Path | None,
    given: Mapping[str, Any],
    methods: Sequence[str],
    seeds: Iterable[int],
    tell: Callable[[str], None] = print,
) -> list[Recipe]:
    """One recipe per method and seed, with all other settings equal, sorted by method.

    Options in `method` are for every method that has them, those in `methods` for a single one.

    Args:
        base: the name of a shipped recipe, a YAML file, or None for the defaults.
        given: nested values that replace those of the file.
        methods: names of methods.
        seeds: of the runs of each method.
        tell: receives a note on each option that some of the methods do not have.

    Raises:
        UserError: for an option that none of the methods has, and as `load_recipe` does.
    """
    trust.allow_names({"methods": [*methods]})  # the user has typed them
    shared, seeds = given.get("method", {}), list(seeds)
    configs = {name: method_class(name).Config for name in methods}
    own = {name: _known(shared, config) for name, config in configs.items()}
    _require_users(shared, own, configs, tell)
    return [
        load_recipe(base, {**given, "method": {**own[name], "name": name}, "seed": seed})
        for name in methods
        for seed in seeds
    ]


def _known(options: Mapping[str, Any], config: type[BaseModel]) -> Values:
    """The options that a config has, those of nested configs included."""
    known: Values = {}
    for key, value in options.items():
        if key in config.model_fields:
            inner = _nested(config, key)
            is_section = inner is not None and isinstance(value, Mapping)
            known[key] = _known(value, inner) if inner and is_section else value
    return known


def _require_users(
    shared: Mapping[str, Any],
    own: Mapping[str, Values],
    configs: Mapping[str, type[BaseModel]],
    tell: Callable[[str], None],
) -> None:
    """Refuses an option that no method has; says which methods lack one that others have."""
    had = {name: set(_paths(options)) for name, options in own.items()}
    for path in _paths(shared):
        lacking = [name for name, paths in had.items() if path not in paths]
        if len(lacking) == len(had):
            known = {o for config in configs.values() for o in _option_names(config)} - {"name"}
            raise UserError(
                f"method.{path}: none of the compared methods ({', '.join(had)}) has this option. "
                f"{did_you_mean(path, known)}"
            )
        if lacking:
            tell(f"method.{path} changes nothing in {', '.join(lacking)}: no such option there.")


def _paths(options: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names in nested values."""
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _option_names(config: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of a config's options, those of nested configs included."""
    for key in config.model_fields:
        inner = _nested(config, key)
        if inner is None:
            yield f"{prefix}{key}"
        else:
            yield from _option_names(inner, f"{prefix}{key}.")


def _nested(config: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The config that a field holds, if it holds one."""
    kind = config.model_fields[key].annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
