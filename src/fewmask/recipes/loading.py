"""Composes a recipe from defaults, a recipe file and the user's own settings."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fewmask.config import merge, read_yaml, trust, validate
from fewmask.data import SOURCES
from fewmask.data.sources.folder import Folder, folder_values
from fewmask.errors import UserError, did_you_mean, nearest
from fewmask.methods import AUTO, BEST, METHODS
from fewmask.models.decoders.decoder import UNNAMED as UNNAMED_DECODER
from fewmask.recipes.automatic import AUTOMATIC, automatic_recipe
from fewmask.recipes.foreign import require_followed
from fewmask.recipes.recipe import Recipe, method_class, require_whole
from fewmask.recipes.shipped import recipe_names, recipe_values

Values = dict[str, Any]
"""Settings by section and name, as in a YAML file."""

OVERRIDING: dict[str, dict[str, tuple[str, ...]]] = {
    "training": {
        # With few labels a pass may be a handful of steps, too few for runs of another length.
        "steps": ("epochs", "minutes", "evaluate_every_epochs"),
        "epochs": ("minutes",),
        "minutes": ("evaluate_every_epochs",),
        "evaluate_every": ("evaluate_every_epochs",),
    },
    "method": {"warmup_epochs": ("warmup_steps",), "copy_epochs": ("copy_steps",)},
}
"""Lengths by section: an option, and others that decide if both are set."""


def load_recipe(base: str | Path | None = None, given: Mapping[str, Any] | None = None) -> Recipe:
    """Composes a recipe: defaults < recipe file < given values.

    A recipe file and the given values may have a section `methods` with options for several methods
    by name. Only the options of the chosen method are used: those of a file give way to its section
    `method`, given ones take precedence over everything.

    Args:
        base: the name of a shipped recipe, or a YAML file. None (or `auto`): automatic settings,
            the shipped recipe for this machine.
        given: nested values that replace those of the file, such as
            `{"method": {"threshold": 0.9}}`.

    Raises:
        UserError: for an unknown recipe, key or value.

    Example:
        load_recipe("synthetic", {"training": {"steps": 200}})
    """
    return _load(base, given or {}, trust.allow_names)


def _load(
    base: str | Path | None, given: Mapping[str, Any], admit: Callable[[Values], None]
) -> Recipe:
    """The recipe; `admit` sees all of its values before any class is imported for them."""
    given = _expand_decoder(given)
    if base is None or str(base) == AUTO:
        base = automatic_recipe(given)
    file = _with_decoder_name(_expand_decoder(_read(base)))
    if base in AUTOMATIC and "encoder" in given.get("model", {}):
        file.pop("model", None)  # stride and decoder are for the encoder that would be chosen
    values = merge(file, _expand_data(given))
    admit(values)
    values.pop("published", None)  # scores to compare with, not settings
    _require_sections(values)
    _choose_method(values, given.get("methods", {}))
    _drop_overriding(values, given)
    return validate(Recipe, values)


def load_run_recipe(file: Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in a run folder. What it does not name is as it was when the run was made.

    The run may be a stranger's: what it names is followed only as `docs/security.md` says.

    Args:
        file: of the run.
        changes: nested values that replace those of the file.

    Raises:
        UserError: for an unknown key or value, or one that the user must allow first.
    """
    # Version 0.1 did not pad images. A run must not be scored in two ways, before and after.
    named = read_yaml(file)
    if "base" in named:  # what it names could change after the run is trusted
        raise UserError(f"{file}: base: the recipe of a run is complete. Remove this line.")
    unnamed: Values = {}
    if _lacks(named, "model", "aligned"):
        unnamed["model"] = {"aligned": False}
    # And each image of more than 8 bits was stretched by itself.
    if _lacks(named, "data", "range"):
        unnamed["data"] = {"range": None}
    admit = partial(require_followed, file=file, typed=changes or {})
    return _load(file, merge(unnamed, changes or {}), admit)


def _lacks(named: Values, section: str, option: str) -> bool:
    options = named.get(section, {})
    return isinstance(options, Mapping) and option not in options


def _read(name: str | Path, heirs: tuple[str, ...] = ()) -> Values:
    """The settings of a recipe, on top of those of the recipe that it names as `base`."""
    if str(name) in heirs:
        raise UserError(f"{name}: this recipe is its own base: {' -> '.join([*heirs, str(name)])}.")
    # Shipped recipes first: where one works, a stranger may have put a file called auto/cpu.
    is_shipped = str(name) in recipe_names()
    if not is_shipped and (Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()):
        values = _expand_data(read_yaml(Path(name)))
        require_whole(Path(name))
    else:
        values = recipe_values(str(name))
    base = values.pop("base", None)
    if base is None:
        return values
    # A file names another one as seen from its own folder.
    beside = Path(name).parent / str(base)
    is_beside = beside.is_file() and not is_shipped
    inherited = _read(beside if is_beside else str(base), (*heirs, str(name)))
    inherited.pop("published", None)
    merged = merge(inherited, values)
    _drop_overriding(merged, values)
    return merged


def _expand_data(values: Mapping[str, Any]) -> Values:
    """Replaces `data=FOLDER` and `data=FILE.yaml` with the options they stand for."""
    data = values.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name in SOURCES or ":" in name:
        return dict(values)
    assert isinstance(data, Mapping)
    path = Path(os.path.expanduser(name))  # Path.expanduser raises for an unknown ~user
    if not path.exists():
        beside = [str(place) for place in path.parent.glob("*") if place.is_dir()]
        near = nearest(str(path), beside)
        raise UserError(
            f"data={name}: there is no such folder or file, and no data source with that name. "
            + (f"Did you mean '{near}'?" if near else did_you_mean(name, SOURCES))
        )
    if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
        raise UserError(f"data={name}: expected a folder, or a .yaml file that describes one.")
    options = {key: value for key, value in data.items() if key != "name"}
    return {**values, "data": merge(folder_values(path), options)}


def _expand_decoder(values: Mapping[str, Any]) -> Values:
    """Replaces `decoder: NAME` with options, to which the command line can add others."""
    model = values.get("model")
    if not isinstance(model, Mapping) or not isinstance(model.get("decoder"), str):
        return dict(values)
    return {**values, "model": {**model, "decoder": {"name": model["decoder"]}}}


def _with_decoder_name(values: Values) -> Values:
    """Names the decoder whose options a recipe file holds, so that `merge` notices another one."""
    model = values.get("model")
    options = model.get("decoder") if isinstance(model, Mapping) else None
    if not isinstance(options, Mapping):
        return values
    assert isinstance(model, Mapping)
    return {**values, "model": {**model, "decoder": {"name": UNNAMED_DECODER, **options}}}


def _require_sections(values: Values) -> None:
    """Refuses unknown sections, sections that are single values, and a recipe without data."""
    known = {*Recipe.model_fields, "methods"}
    for section, options in values.items():
        if section not in known:
            homes = _homes()
            meant = nearest(section, [*homes, *Recipe.model_fields])
            hint = f"Did you mean '{homes.get(meant, meant)}'?" if meant else ""
            hint = hint or did_you_mean(section, Recipe.model_fields)
            raise UserError(f"{section}: unknown option. {hint}")
        if section != "seed" and not isinstance(options, dict):
            raise UserError(
                f"{section}={options!r}: expected options. Write them as {section}.KEY=VALUE."
            )
    if not isinstance(values.get("method", {}).get("name", ""), str):
        kind = type(values["method"]["name"]).__name__  # the value itself may be huge
        raise UserError(f"method.name is of the type {kind}; expected a word, such as imas.")
    if "name" not in values.get("data", {}):
        raise UserError(
            "Which images? Give data=FOLDER, data=FILE.yaml, or a data source by name, such as "
            "data=synthetic."
        )


def _homes() -> dict[str, str]:
    """Where each option belongs, for a user who gives it without its section: training.lr for lr.

    Of options with one name, that of your own folder or of the first method is meant.
    """
    owners: list[tuple[str, Any]] = [("method", method_class(name).Config) for name in METHODS]
    owners += [(name, field.annotation) for name, field in Recipe.model_fields.items()]
    owners += [("data", Folder.Config)]
    return {
        option: f"{section}.{option}"
        for section, owner in owners
        for option in getattr(owner, "model_fields", ())
        if option != "name"
    }


def _choose_method(values: Values, given: Mapping[str, Any]) -> None:
    """Merges the options for the chosen method: `methods` < `method` < `methods` as given."""
    by_method = values.pop("methods", {})
    method = values.setdefault("method", {})
    if method.setdefault("name", "imas") == AUTO:
        method["name"] = BEST
    chosen = method["name"]
    for name, options in by_method.items():
        # A file may name methods of your own that this run does not use, and cannot import.
        if ":" not in name or name in given:
            _require_options(name, options)
    general = merge(by_method.get(chosen, {}), values["method"])
    values["method"] = merge(general, given.get(chosen, {}))


def _require_options(name: str, options: Any) -> None:
    """Refuses an unknown method, and options that the method does not have."""
    if name not in METHODS and ":" not in name:
        raise UserError(f"methods.{name}: unknown method. {did_you_mean(name, METHODS)}")
    if not isinstance(options, Mapping):
        raise UserError(
            f"methods.{name}={options!r}: expected options. Write them as methods.{name}.KEY=VALUE."
        )
    if options.get("name", name) != name:
        raise UserError(f"methods.{name}.name={options['name']}: expected {name}, or no name.")
    validate(method_class(name).Config, {**options, "name": name}, f"methods.{name}")


def _drop_overriding(values: Values, given: Mapping[str, Any]) -> None:
    """Drops options of the file that would override the user's, such as epochs against steps."""
    of_method = given.get("methods", {}).get(values.get("method", {}).get("name"), {})
    for section, pairs in OVERRIDING.items():
        own = {**given.get(section, {}), **(of_method if section == "method" else {})}
        for option, others in pairs.items():
            for overriding in others if option in own else ():
                if overriding not in own:
                    values[section].pop(overriding, None)
