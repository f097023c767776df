"""A data set read from end to end: what was found, and a draft of its YAML file."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fewmask.data.checks.files import file_findings
from fewmask.data.checks.finding import Finding, Level
from fewmask.data.checks.labels import (
    class_shares,
    label_findings,
    suggested_mapping,
    suggested_palette,
)
from fewmask.data.checks.survey import MANY_COLORS, Survey, take_survey
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError
from fewmask.recipes import Recipe
from fewmask.runs.build import open_data


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    survey: Survey
    findings: list[Finding]
    shares: dict[str, dict[str, tuple[float, int]]]
    """By set and class: share of the labeled pixels, and number of images."""
    config: Folder.Config | None
    """The folder that was checked; None for a published data set."""

    @property
    def exit_code(self) -> int:
        """0 clean, 1 warnings, 2 errors."""
        levels = {finding.level for finding in self.findings}
        return 2 if "error" in levels else 1 if "warning" in levels else 0

    def in_words(self) -> str:
        """The whole report, for people."""
        sets = {part: len(images) for part, images in self.survey.images.items()}
        lines = [", ".join(f"{count} {part}" for part, count in sets.items() if count) + " images"]
        for part, classes in self.shares.items():
            if self.survey.masks[part]:
                lines += ["", f"classes in {part} images: share of the pixels, images"]
                width = max((len(name) for name in classes), default=0)
                lines += [
                    f"    {name:{width}} {share:7.2%} {images:6}  {'#' * round(40 * share)}"
                    for name, (share, images) in classes.items()
                ]
        for finding in self.findings:
            lines += ["", finding.in_words()]
        count = {
            level: sum(f.level == level for f in self.findings) for level in ("error", "warning")
        }
        lines += ["", f"{count['error']} error(s), {count['warning']} warning(s)."]
        return "\n".join(line.rstrip() for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """The whole report, for programs."""
        return {
            "images": {part: len(images) for part, images in self.survey.images.items()},
            "classes": {
                part: {
                    name: {"share": share, "images": images}
                    for name, (share, images) in classes.items()
                }
                for part, classes in self.shares.items()
            },
            "findings": [finding._asdict() for finding in self.findings],
            "exit_code": self.exit_code,
        }

    def draft(self, file: Path) -> None:
        """Writes the data's YAML file as far as it can be known, with the findings as comments.

        Raises:
            UserError: for a published data set, or if the file exists.
        """
        if self.config is None:
            raise UserError("--write drafts the file of your own folder; this data has a name.")
        if file.exists():
            raise UserError(f"{file} exists; remove it first, or give another name.")
        values = self.config.model_dump(mode="json", exclude_unset=True, exclude={"name"})
        values["root"] = os.path.relpath(self.config.root, file.parent)
        values |= self._suggested()
        values.setdefault("names", [*self.shares["labeled"]])
        said = "".join(f"# {line}\n" for f in self.findings for line in f.in_words().splitlines())
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        file.write_text(f"{said}{text}", encoding="utf-8")

    def _suggested(self) -> dict[str, Any]:
        """Mapping or palette, and names, for masks whose values are not 0..K-1."""
        assert self.config is not None
        masks = [m for part in self.survey.masks.values() for m in part if m.error is None]
        if self.config.names is not None or not masks:
            return {}
        if self.config.label_mapping or self.config.palette:
            return {}
        pixels = Counter[int]()
        for mask in masks:
            pixels.update(mask.values)
        if any(mask.is_colored for mask in masks):
            palette = suggested_palette(pixels) if len(pixels) <= MANY_COLORS else {}
            return {"palette": palette, "names": _numbered(len(palette))} if palette else {}
        mapping = suggested_mapping(sorted(pixels))
        if all(value == label for value, label in mapping.items()):
            return {}
        return {"label_mapping": mapping, "names": _numbered(len(mapping))}


def _what_training_refuses(recipe: Recipe) -> list[Finding]:
    """Lists and sets that do not fit together; a check must not pass what `train` stops at."""
    try:
        open_data(recipe, needs_unlabeled=False, tell=lambda note: None)
    except UserError as error:
        return [Finding("error", f"Training would stop here: {error}", "")]
    return []


def _numbered(count: int) -> list[str]:
    return [f"class {label}" for label in range(count)]


def check(recipe: Recipe) -> Checked:
    """Reads every file of a recipe's data.

    Raises:
        UserError: if there is nothing to check: no such folder or list.
    """
    inventory = recipe.source().inventory()
    if inventory is None:
        raise UserError(f"data={recipe.data.name} is not made of files; nothing to check.")
    names, labels = inventory.class_names, inventory.labels
    survey = take_survey(inventory)
    findings = [*file_findings(survey), *label_findings(survey, names, labels)]
    if not inventory.was_opened and not any(f.level == "error" for f in findings):
        findings += _what_training_refuses(recipe)
    order: list[Level] = ["error", "warning", "note"]
    findings.sort(key=lambda finding: order.index(finding.level))
    config = recipe.data if isinstance(recipe.data, Folder.Config) else None
    return Checked(survey, findings, class_shares(survey, names, labels), config)
