"""Renders the report: one static HTML file that needs no network; all names are escaped."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import jinja2
import numpy as np
from PIL import Image

from fewmask import version
from fewmask.report.charts import Chart
from fewmask.run_folder.result import Result

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("fewmask", "report"), autoescape=True, trim_blocks=True
)
TILE = 360
"""Longest side of a picture on the page, in pixels."""


@dataclass(frozen=True)
class Layer:
    """One overlay of a picture."""

    name: str
    picture: str
    """A data: URL."""


@dataclass(frozen=True)
class Case:
    """One image of the gallery."""

    name: str
    miou: float
    image: str
    layers: list[Layer]


@dataclass(frozen=True)
class ClassRow:
    """One class: its IoU and that of the baseline, in percent; None if absent."""

    name: str
    iou: float | None
    before: float | None = None


@dataclass(frozen=True)
class RunPage:
    """Everything the page says of one run."""

    index: int
    name: str
    result: Result
    network: str
    charts: list[Chart]
    classes: list[ClassRow]
    baseline: str
    """Name of the run the classes are compared with; empty if there is none."""
    confusion: list[list[float]]
    """Percent of each true class; empty with too many classes for a table."""
    confused: str
    """The largest confusions, in words."""
    reliability: Chart
    calibration_error: float
    boundary_iou: float
    miou: float
    pseudo: Chart | None
    """What the pseudo-labels are worth on val, over the steps."""
    pseudo_shares: list[tuple[str, float, float]]
    """Class, its percent of the labeled pixels, and of the pseudo-labels at the end."""
    time: list[tuple[str, float, float]]
    """Part of the run, minutes, percent."""
    hardness: Chart | None
    hardest: list[str]
    gallery: list[Case]


def render(
    title: str,
    runs: Sequence[RunPage],
    verdict: Sequence[str],
    warnings: Sequence[str],
    differences: Mapping[str, Sequence[Any]],
) -> str:
    """The page as text."""
    return TEMPLATES.get_template("page.html.j2").render(
        title=title,
        runs=runs,
        verdict=verdict,
        warnings=warnings,
        differences=differences,
        version=version.__version__,
    )


def svg(chart: Chart) -> str:
    """A chart as a picture of its own."""
    return TEMPLATES.get_template("chart.svg.j2").render(chart=chart).strip() + "\n"


def photo(image: np.ndarray) -> str:
    """An image uint8 [H, W, 3] as a small JPEG in a data: URL."""
    return _data_url(Image.fromarray(_small(image, cv2.INTER_AREA)), "JPEG")


def map_of_labels(labels: np.ndarray, colors: np.ndarray) -> str:
    """Labels uint8 [H, W] in colors, 255 in white, as a small PNG in a data: URL."""
    picture = Image.fromarray(_small(labels, cv2.INTER_NEAREST))
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(colors)] = colors
    picture.putpalette(palette.ravel().tolist())
    return _data_url(picture, "PNG")


def map_of_confidence(confidence: np.ndarray) -> str:
    """Confidence [H, W] in 0..1 as gray (black: unsure), as a small JPEG in a data: URL."""
    return photo(np.repeat(np.rint(confidence * 255).astype(np.uint8)[:, :, None], 3, axis=2))


def _small(picture: np.ndarray, interpolation: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = min(1.0, TILE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=interpolation)


def _data_url(picture: Image.Image, kind: str) -> str:
    stream = BytesIO()
    options: dict[str, Any] = {"quality": 80} if kind == "JPEG" else {"optimize": True}
    picture.save(stream, kind, **options)
    coded = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{coded}"
