"""The settings in which runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any


def differences(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The settings in which recipes differ, by dotted name.

    Example:
        differences([{"seed": 0, "data": {"name": "a"}}, {"seed": 1, "data": {"name": "a"}}])
        # {"seed": [0, 1]}
    """
    flat = [_flatten(recipe) for recipe in recipes]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    table = {key: [one.get(key, "-") for one in flat] for key in keys}
    return {
        key: values for key, values in table.items() if any(value != values[0] for value in values)
    }


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
