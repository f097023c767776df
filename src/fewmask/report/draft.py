"""A draft of a data set's YAML file, from what `fewmask check` found."""

import os
from collections.abc import Sized
from pathlib import Path
from typing import Any

import yaml

from fewmask import atomic
from fewmask.data.checks.mask_colors import color_counts, suggested_palette
from fewmask.data.checks.mask_values import suggested_mapping
from fewmask.data.checks.survey import MANY_COLORS
from fewmask.data.classes import numbered
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError
from fewmask.report.checked import Checked

OF_A_RUN = ("long_side", "in_memory", "cache")
"""Options of how a run reads the images, which say nothing of the images themselves."""


def write_draft(checked: Checked, file: Path) -> None:
    """Writes a YAML file with all options that follow from the files, and the findings as comments.

    Args:
        checked: what was found.
        file: to write; must not exist.

    Raises:
        UserError: for a published data set, or if the file exists.
    """
    require_new(file)
    if checked.config is None:
        raise UserError(
            "--write drafts a YAML file for your own folder. A published data set needs none."
        )
    values = checked.config.model_dump(mode="json", exclude_unset=True, exclude={"name", *OF_A_RUN})
    # Relative to the file, so that folder and file can be moved together.
    values["root"] = os.path.relpath(checked.config.root, file.parent)
    values |= _suggested(checked, checked.config)
    values.setdefault("names", [*checked.shares["labeled"]])
    lines = [line for finding in checked.findings for line in finding.in_words().splitlines()]
    comments = "".join(f"# {line}\n" for line in lines)
    # One line per option, as in the documentation: lines are easy to replace.
    text = "".join(f"{key}: {_in_one_line(value)}\n" for key, value in values.items())
    atomic.write_text(file, f"{comments}{text}")


def require_new(file: Path) -> None:
    """Raises a UserError if there is such a file, or no folder for it."""
    if file.exists():
        raise UserError(f"{file} exists. Remove it first, or give another name.")
    if not file.parent.is_dir():
        raise UserError(f"{file}: there is no folder {file.parent}.")


def _in_one_line(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1e9, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _suggested(checked: Checked, config: Folder.Config) -> dict[str, Any]:
    """Mapping or palette, and names, for masks whose values are not 0..K-1."""
    masks = [m for subset in checked.survey.masks.values() for m in subset if m.error is None]
    if config.label_mapping or config.palette or not masks:
        return {}
    given = [*(config.names or ())]
    if any(mask.is_colored for mask in masks):
        pixels = color_counts(masks)
        # Thousands of colors are a smoothed or compressed mask, not classes.
        palette = suggested_palette(pixels) if len(pixels) <= MANY_COLORS else {}
        return {"palette": palette, "names": _as_many(given, palette)} if palette else {}
    values = sorted({value for mask in masks for value in mask.values})
    mapping = suggested_mapping(values, len(given) or None)
    fits = all(value < len(given) for value in mapping)
    if fits or all(value == label for value, label in mapping.items()):
        return {}
    return {"label_mapping": mapping, "names": _as_many(given, mapping)}


def _as_many(given: list[str], classes: Sized) -> list[str]:
    """The given names, and numbered ones for further classes."""
    return [*given, *numbered(len(classes))[len(given) :]]
