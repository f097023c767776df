"""Line charts, as plain numbers that a template draws as SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

LEFT, RIGHT, TOP, BOTTOM = 44, 390, 10, 196
"""The box of the plot in a drawing of 400 x 220."""
COLORS = 5
"""Line colors of the page's style sheet."""
TICKS = 4


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    points: str
    """In the form of SVG: x,y x,y ..."""
    color: int


@dataclass(frozen=True)
class Chart:
    """A chart, ready to be drawn."""

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    summary: str
    """The chart in words, for screen readers."""
    thin: bool = False
    """Draws many thin lines without names."""


Series = Sequence[tuple[float, float]]


class Box(NamedTuple):
    """The ranges of a plot, and where a value lies in its drawing."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The position of a point in the drawing; y values outside the range are cut off."""
        across = (x - self.x_low) / ((self.x_high - self.x_low) or 1)
        inside = min(max(y, self.y_low), self.y_high)
        up = (inside - self.y_low) / ((self.y_high - self.y_low) or 1)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)


def line_chart(
    title: str,
    series: Mapping[str, Series],
    y_range: tuple[float, float] | None = None,
    thin: bool = False,
) -> Chart:
    """Draws series of (x, y) into one box.

    Args:
        title: what is drawn, with its unit.
        series: points by name; points that are NaN or infinite are left out.
        y_range: lowest and highest y; by default from the values, 0 included.
        thin: draws many thin lines without names.
    """
    kept = {
        name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in series.items()
    }
    kept = {name: points for name, points in kept.items() if points}
    box = _box([*chain(*kept.values())], y_range)
    lines = [
        Line(name, " ".join("{:.1f},{:.1f}".format(*box.place(*xy)) for xy in points), i % COLORS)
        for i, (name, points) in enumerate(kept.items())
    ]
    summary = "; ".join(f"{name} ends at {points[-1][1]:.3g}" for name, points in kept.items())
    return Chart(
        title, lines, _x_ticks(box), _y_ticks(box), f"{len(kept)} lines" if thin else summary, thin
    )


def _box(points: Series, y_range: tuple[float, float] | None) -> Box:
    xs = [x for x, _ in points] or [0.0, 1.0]
    ys = [y for _, y in points] or [0.0, 1.0]
    y_low, y_high = y_range or (min(0.0, *ys), _round_up(max(*ys, 1e-9)))
    return Box(min(xs), max(xs), y_low, y_high)


def _x_ticks(box: Box) -> list[tuple[float, str]]:
    values = [box.x_low, (box.x_low + box.x_high) / 2, box.x_high]
    return [(round(box.place(x, box.y_low)[0], 1), f"{x:g}") for x in values]


def _y_ticks(box: Box) -> list[tuple[float, str]]:
    values = [box.y_low + (box.y_high - box.y_low) * i / TICKS for i in range(TICKS + 1)]
    return [(round(box.place(box.x_low, y)[1], 1), f"{y:.3g}") for y in values]


def _round_up(value: float) -> float:
    """The next larger number that reads well on an axis, such as 2.5 or 60."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if step * power >= value)
