"""Reads a data set from end to end and reports what is wrong with it."""

from pathlib import Path

from fewmask.data.checks.files import file_findings
from fewmask.data.checks.finding import Finding, Level
from fewmask.data.checks.labels import class_shares, label_findings
from fewmask.data.checks.loaded import loaded_findings
from fewmask.data.checks.survey import take_survey
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError
from fewmask.recipes import Recipe
from fewmask.report.checked import Checked
from fewmask.report.label_sheet import label_sheet
from fewmask.report.pictures import save_whole
from fewmask.runs.build import open_data

ORDER: tuple[Level, ...] = ("error", "warning", "note")
"""Findings are reported in this order."""


def check(recipe: Recipe) -> Checked:
    """Reads every file of a recipe's data.

    Raises:
        UserError: if there is nothing to check: no such folder or list.
    """
    inventory = recipe.source().inventory()
    if inventory is None:
        raise UserError(f"data={recipe.data.name} is not made of files; nothing to check.")
    names, labels = inventory.class_names, inventory.labels
    survey = take_survey(inventory, recipe.model.in_channels)
    of_labels = [*label_findings(survey, names, labels)]
    findings = [*file_findings(survey), *of_labels]
    if not any(finding.level == "error" for finding in findings):
        findings += _what_training_finds(recipe)
    findings.sort(key=lambda finding: ORDER.index(finding.level))
    config = recipe.data if isinstance(recipe.data, Folder.Config) else None
    is_in_doubt = any(finding.level == "error" for finding in of_labels)
    return Checked(survey, findings, class_shares(survey, names, labels), config, is_in_doubt)


def draw(recipe: Recipe, found: Checked, file: Path) -> str:
    """Draws labeled photos under their masks, and says so.

    Args:
        recipe: names the data.
        found: what the check found in it.
        file: the picture to write.

    Raises:
        UserError: if the file cannot be written.
    """
    if found.exit_code == 2:
        return "No picture was drawn: with the errors above, the masks cannot be read as labels."
    data = open_data(recipe, needs_unlabeled=False, tell=lambda note: None)
    try:
        save_whole(label_sheet(data), file)
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot write {file}: {error}. Give a .png or .jpg file.") from None
    return f"Wrote {file}. Look at it: does each mask fit its photo?"


def _what_training_finds(recipe: Recipe) -> list[Finding]:
    """What shows only once the data are opened: a check must not pass where `train` stops."""
    try:
        needs_unlabeled = recipe.data.image_labels is not None  # which name unlabeled images
        data = open_data(recipe, needs_unlabeled, tell=lambda note: None)
    except UserError as error:
        return [Finding("error", f"Training would stop here: {error}", "")]
    return [*loaded_findings(data)]
