"""Writes the report: one HTML page on one run, or on several runs."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fewmask.data.own_files import OwnFiles
from fewmask.engine.screen import Screen
from fewmask.evaluation.examination import examine
from fewmask.report import curves, gallery, page, sections
from fewmask.report.comparison import BASELINE
from fewmask.report.differences import differences
from fewmask.report.inline_pictures import sheet
from fewmask.report.label_sheet import label_sheet
from fewmask.report.output import require_page
from fewmask.run_folder.comparing import warnings
from fewmask.run_folder.result import Result
from fewmask.runs.run import Run
from fewmask.tasks.evaluate import require_same_classes

GALLERY = 24
"""Pictures on a page, shared between its runs, so that the page stays below 5 MB."""
LABELED = 12
"""Labeled photos on a page."""


def report(runs: Sequence[Run], out: Path | None = None, verdict: Sequence[str] = ()) -> Path:
    """Writes the report of one or several runs, and the charts of each into its run folder.

    Args:
        runs: the first supervised one is the baseline of the others.
        out: the file to write; by default `report.html` in the first run's folder.
        verdict: sentences to open with, as `fewmask compare` has them.

    Returns:
        The file.

    Raises:
        UserError: if a run has no results, its data has other classes than it was trained on, `out`
            is not the name of a page, or holds another one than fewmask wrote.
    """
    if out is not None:
        require_page(out)
    out = out or runs[0].paths.report
    own = OwnFiles(out.parent)
    own.require_free(out)
    results = [run.result for run in runs]
    baseline = next((result for result in results if result.method == BASELINE), None)
    with Screen() as screen:
        pages = [
            _run_page(run, None if result is baseline else baseline, GALLERY // len(runs), screen)
            for run, result in zip(runs, results, strict=True)
        ]
    names = runs[0].folder.name if len(runs) == 1 else f"{len(runs)} runs"
    # As JSON: paths and tuples compare and print like what the user wrote.
    different = differences([run.recipe.model_dump(mode="json") for run in runs])
    labels = sheet(label_sheet(runs[0].data, LABELED))
    text = page.render(f"fewmask: {names}", pages, labels, verdict, warnings(results), different)
    own.write_text(out, text)
    for run, run_page in zip(runs, pages, strict=True):
        _save_charts(run_page, run.paths.plots)
    return out


def _run_page(run: Run, baseline: Result | None, pictures: int, screen: Screen) -> page.RunPage:
    names, result = run.data.classes.names, run.result
    network = next(iter(result.networks))
    predictor, evaluation = run.network(network), run.recipe.evaluation
    require_same_classes(run, predictor.classes)
    tracked = partial(screen.track, f"{run.folder.name}: examining image")
    found = examine(predictor.network, run.val, len(names), evaluation, predictor.device, tracked)
    threshold = getattr(run.recipe.method, "threshold", None)
    return page.RunPage(
        result=result,
        network=network,
        curves=curves.training_charts(run.paths),
        pseudo_labels=sections.pseudo_labels(run.paths),
        class_table=sections.class_table(names, found, baseline),
        confusion=sections.confusion(names, found.scores.confusion),
        calibration=sections.calibration(found),
        hardness=sections.hardness(run.paths),
        times=sections.times(result),
        gallery=gallery.worst_cases(
            predictor,
            run.val,
            found.image_miou,
            pictures,
            threshold,
            partial(screen.track, f"{run.folder.name}: drawing image"),
        ),
    )


def _save_charts(run_page: page.RunPage, folder: Path) -> None:
    """Saves the charts as SVG files, each named like its title."""
    own = OwnFiles(folder.parent)
    try:
        for chart in run_page.charts:
            name = re.sub("[^a-z0-9]+", "-", chart.title.lower()).strip("-")
            if own.may_write(folder / f"{name}.svg"):
                own.write_text(folder / f"{name}.svg", page.svg(chart))
    except PermissionError as error:  # the page itself is written, and holds the charts as well
        print(f"The charts were not saved as files in {folder}: {error.strerror}.")
