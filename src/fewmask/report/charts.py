"""Line charts as plain numbers for the page's SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEFT, RIGHT, TOP, BOTTOM = 44, 390, 10, 196  # the plot's box in the 400 x 220 drawing
COLORS = 5
TICKS = 4


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    points: str
    """As SVG wants them: x,y x,y ..."""
    color: int


@dataclass(frozen=True)
class Chart:
    """A chart, ready to be drawn."""

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    summary: str
    """In words, for those who do not see it."""
    thin: bool = False
    """Many lines that need no names."""


Series = Sequence[tuple[float, float]]


def line_chart(
    title: str,
    series: Mapping[str, Series],
    y_range: tuple[float, float] | None = None,
    thin: bool = False,
) -> Chart:
    """Draws series of (x, y) into one box.

    Args:
        title: what is drawn, with its unit.
        series: by name; values that are no numbers are left out.
        y_range: lowest and highest y; by default from the values, 0 included.
        thin: many lines that need no names.
    """
    kept = {
        name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in series.items()
    }
    kept = {name: points for name, points in kept.items() if points}
    xs = [x for points in kept.values() for x, _ in points] or [0.0, 1.0]
    ys = [y for points in kept.values() for _, y in points] or [0.0, 1.0]
    x_low, x_high = min(xs), max(xs)
    y_low, y_high = y_range or (min(0.0, *ys), _round_up(max(*ys, 1e-9)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1)
        up = (min(max(y, y_low), y_high) - y_low) / ((y_high - y_low) or 1)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)

    lines = [
        Line(name, " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points), i % COLORS)
        for i, (name, points) in enumerate(kept.items())
    ]
    y_values = [y_low + (y_high - y_low) * i / TICKS for i in range(TICKS + 1)]
    x_values = [x_low, (x_low + x_high) / 2, x_high]
    summary = "; ".join(f"{name} ends at {points[-1][1]:.3g}" for name, points in kept.items())
    return Chart(
        title,
        lines,
        [(round(place(x, y_low)[0], 1), f"{x:g}") for x in x_values],
        [(round(place(x_low, y)[1], 1), f"{y:.3g}") for y in y_values],
        f"{len(kept)} lines" if thin else summary,
        thin,
    )


def _round_up(value: float) -> float:
    """The next number with one or two plain digits."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if step * power >= value)
