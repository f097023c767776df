"""Finds classes by name: a plain word is ours, `package.module:Class` is somebody's own."""

import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from fewmask.config import trust
from fewmask.errors import UserError, did_you_mean

Base = TypeVar("Base")


def find(name: str, ours: Mapping[str, str], kind: str, option: str | None = None) -> Any:
    """Finds a class by name: a plain word is ours, `package.module:Class` is imported.

    Whatever brings names from a file of somebody else asks `trust` first.

    Args:
        name: what the user wrote.
        ours: plain word to import path.
        kind: what is looked for, for messages: `method`, `data` ...
        option: the option that holds the name, for messages; `KIND.name` by default.

    Raises:
        UserError: if the word is unknown or the import fails.
    """
    option = option or f"{kind}.name"
    if ":" not in name and name not in ours:
        noun = kind.split(".")[-1]
        raise UserError(
            f"{option}={name}: unknown {noun}. {did_you_mean(name, ours)} Your own: "
            f"{option}=package.module:Class."
        )
    if name not in ours:
        trust.require_import_path(name, option)
        trust.see_working_folder(name)
    module_name, _, attribute = ours.get(name, name).partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{option}={name}: there is no module '{error.name}' to import. Run from the folder "
            "that holds it, or install it."
        ) from None
    except AttributeError:
        raise UserError(f"{option}={name}: module '{module_name}' has no '{attribute}'.") from None


def find_class(
    name: str, ours: Mapping[str, str], kind: str, base: type[Base], option: str | None = None
) -> type[Base]:
    """Finds a class by name, like `find`, that derives from `base`.

    Raises:
        UserError: if the word is unknown, the import fails, or something else has this name.
    """
    found = find(name, ours, kind, option)
    if isinstance(found, type) and issubclass(found, base):
        return found
    raise UserError(
        f"{option or kind}={name}: this is not a class that derives from "
        f"{base.__module__}.{base.__qualname__}. docs/extending.md shows one that is."
    )
