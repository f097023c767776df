"""Reads a data set from end to end and reports what is wrong with it."""

from fewmask.data.checks.files import file_findings
from fewmask.data.checks.finding import Finding, Level
from fewmask.data.checks.labels import class_shares, label_findings
from fewmask.data.checks.survey import take_survey
from fewmask.data.files import Files
from fewmask.data.sources.folder import Folder
from fewmask.errors import UserError
from fewmask.recipes import Recipe
from fewmask.report.checked import Checked
from fewmask.run_folder.paths import SUBSETS
from fewmask.runs.build import open_data

ORDER: tuple[Level, ...] = ("error", "warning", "note")
"""Findings are reported in this order."""


def check(recipe: Recipe) -> Checked:
    """Reads every file of a recipe's data.

    Raises:
        UserError: if there is nothing to check: no such folder or list.
    """
    source = recipe.source()
    if isinstance(source, Folder):
        sets, lone = source.lenient_sets()
        config = source.config
        names, labels = config.names, config.label_table(len(config.names or range(256)))
    else:
        data = source.open()
        sets, lone, config = {}, [], None
        for subset in SUBSETS:
            files = getattr(data, subset)
            if not isinstance(files, Files):
                raise UserError(f"data={recipe.data.name} is not made of files; nothing to check.")
            sets[subset] = files
        names, labels = data.classes.names, sets["labeled"].labels
    survey = take_survey(
        {subset: files.images for subset, files in sets.items()},
        {subset: [m for m in sets[subset].masks if m is not None] for subset in ("labeled", "val")},
        as_colors=bool(labels.palette),
    )
    survey.lone.extend(lone)
    survey.unread.extend(source.unread() if isinstance(source, Folder) else [])
    findings = [*file_findings(survey), *label_findings(survey, names, labels)]
    if isinstance(source, Folder) and not any(f.level == "error" for f in findings):
        findings += _what_training_refuses(recipe)
    findings.sort(key=lambda finding: ORDER.index(finding.level))
    return Checked(survey, findings, class_shares(survey, names, labels), config)


def _what_training_refuses(recipe: Recipe) -> list[Finding]:
    """Lists and subsets that do not fit together: a check must not pass where `train` stops."""
    try:
        open_data(recipe, needs_unlabeled=False, tell=lambda note: None)
    except UserError as error:
        return [Finding("error", f"Training would stop here: {error}", "")]
    return []
