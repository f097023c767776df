"""Renders the report: one static HTML file that needs no network. All names are escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from fewmask import version
from fewmask.report.charts import Chart
from fewmask.report.gallery import Case
from fewmask.report.results_table import described
from fewmask.report.sections import (
    Calibration,
    ClassTable,
    Confusion,
    Hardness,
    PseudoLabels,
    TimeRow,
)
from fewmask.run_folder.result import Result

# Autoescape: names of photos and classes are a stranger's text and may hold HTML.
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("fewmask", "report"), autoescape=True, trim_blocks=True
)


@dataclass(frozen=True)
class RunPage:
    """Everything that the page shows of one run, section by section."""

    result: Result
    network: str
    """The network whose predictions are shown."""
    curves: list[Chart]
    pseudo_labels: PseudoLabels | None
    class_table: ClassTable
    confusion: Confusion
    calibration: Calibration
    hardness: Hardness | None
    times: list[TimeRow]
    gallery: list[Case]

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.result.folder.name

    @property
    def description(self) -> str:
        """One phrase on the run."""
        return described(self.result)

    @property
    def charts(self) -> list[Chart]:
        """All charts of the run."""
        sections = (self.calibration, self.pseudo_labels, self.hardness)
        return [*self.curves, *(section.chart for section in sections if section is not None)]


def render(
    title: str,
    runs: Sequence[RunPage],
    labels: str,
    verdict: Sequence[str],
    warnings: Sequence[str],
    differences: Mapping[str, Sequence[Any]],
) -> str:
    """The page as text.

    Args:
        title: of the page.
        runs: one section each.
        labels: a data: URL, the sheet of labeled photos and their masks.
        verdict: sentences on whether the unlabeled images helped.
        warnings: reasons why runs cannot be compared.
        differences: the settings in which the runs differ, by dotted name.
    """
    return TEMPLATES.get_template("page.html.j2").render(
        title=title,
        runs=runs,
        labels=labels,
        verdict=verdict,
        warnings=warnings,
        differences=differences,
        version=version.__version__,
    )


def svg(chart: Chart) -> str:
    """A chart as an SVG file."""
    return TEMPLATES.get_template("chart.svg.j2").render(chart=chart).strip() + "\n"
