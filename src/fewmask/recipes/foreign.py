"""What the recipe of a run may make fewmask do: a run folder may come from a stranger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewmask.config import read_yaml, trust
from fewmask.data.own_files import links_out

PLACES = (
    "data.pool", "data.cache", "data.image_labels", "model.pretrained",
    "method.ablation.initialization",
)  # fmt: skip
"""Options that lead out of the data's folder: to a URL, to files to read, to a folder to fill."""
ORIGINS = ("auto", "timm", "package", "kmeans", "random")
"""Words for the last two; everything else is a file."""


def require_followed(values: Mapping[str, Any], file: Path, typed: Mapping[str, Any]) -> None:
    """Refuses code and places that the recipe of a run names, and the user does not.

    Args:
        values: of the recipe, with the user's changes.
        file: the recipe.
        typed: the changes.

    Raises:
        UserError: that says what the recipe wanted, and how to allow it.
    """
    trust.allow_names(typed)
    wanted, own = followed(values), followed(typed)
    links = {f"{name} (a link beside it)": to for name, to in links_out(file.parent).items()}
    asked = {option: text for option, text in wanted.items() if own.get(option) != text}
    trust.require_trusted(asked | links, file, followed(read_yaml(file)) | links)


def followed(values: Mapping[str, Any]) -> dict[str, str]:
    """All that settings name to be imported, opened or written: option to text."""
    return trust.names_in(values) | {
        place: str(text) for place in PLACES if (text := _at(values, place)) is not None
    }


def _at(values: Mapping[str, Any], place: str) -> Any:
    """The value of an option that is a path or a URL; None if it is not."""
    found: Any = values
    for key in place.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if isinstance(found, bool) or found in ORIGINS else found
