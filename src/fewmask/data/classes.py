"""The classes of a data set: names, colors, and the values that stand for them in mask files."""

import re
from collections.abc import Sequence

import cv2
import numpy as np

from fewmask.batch import IGNORE
from fewmask.errors import UserError

FREE_COLORS = [(255, 255, 255), *((level, level, level) for level in range(254, -1, -1))]
"""Colors for pixels without a label, the best one first."""

LONGEST_NAME = 200
"""Characters of a class name."""


class Classes:
    """The classes of a data set.

    Args:
        names: one per class, in order of the label.
        colors: RGB per class, 0..255. By default they are spread over the color circle.
        values: the value that stands for each class in your mask files. The default is 0..K-1.
        no_label: the value that means "no label" there, or None if no value does.
        no_label_color: its RGB.
    """

    def __init__(
        self,
        names: Sequence[str],
        colors: Sequence[Sequence[int]] | None = None,
        values: Sequence[int] | None = None,
        no_label: int | None = IGNORE,
        no_label_color: Sequence[int] = (255, 255, 255),
    ):
        self.names = tuple(str(name) for name in names)
        require_names(self.names)
        self.colors = np.array(colors or default_colors(len(self.names)), dtype=np.uint8)  # [K, 3]
        self.no_label, self.no_label_color = no_label, tuple(no_label_color)
        self.values = tuple(values if values is not None else range(len(self.names)))

    def __len__(self) -> int:
        return len(self.names)

    def with_no_label(self) -> "Classes":
        """These classes, with a value and a color for "no label" that no class has.

        Raises:
            UserError: if the classes take all values of a byte.
        """
        if self.no_label is not None:
            return self
        value = next((v for v in range(IGNORE, -1, -1) if v not in self.values), None)
        if value is None:
            raise UserError("The classes take all values 0..255, so none is left for 'no label'.")
        taken = {tuple(color) for color in self.colors.tolist()}
        color = next(color for color in FREE_COLORS if color not in taken)
        return Classes(self.names, self.colors.tolist(), self.values, value, color)


def require_names(names: Sequence[str]) -> None:
    """Makes sure that there are not too many classes, and that their names can be shown.

    Raises:
        UserError: if not.
    """
    if len(names) > IGNORE:
        raise UserError(f"{len(names)} classes are more than the {IGNORE} that a mask can hold.")
    for name in names:
        # What a terminal would obey, line breaks, which lists and tables cannot hold, and halves of
        # characters, which no file can hold.
        if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", name):
            raise UserError(f"The class name {name!r} holds control characters. Rename the class.")
        if len(name) > LONGEST_NAME:
            raise UserError(
                f"The class name that begins with {name[:60]!r} has {len(name)} characters, more "
                f"than {LONGEST_NAME}. Rename the class."
            )


def numbered(count: int) -> list[str]:
    """Names for classes without names: class 0, class 1 ..."""
    return [f"class {label}" for label in range(count)]


def default_colors(count: int) -> list[tuple[int, int, int]]:
    """Well separated colors: dark gray first (often background), then golden steps of the hue."""
    # Steps by the golden ratio never come close to an earlier hue, however many classes there are.
    hues = (np.arange(count) * 0.618034 * 180).astype(int) % 180
    hsv = np.stack(
        [hues, 150 + 70 * (np.arange(count) % 2), 235 - 50 * (np.arange(count) % 3)], axis=1
    ).astype(np.uint8)
    colors = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].tolist()
    return [(60, 60, 60), *(tuple(c) for c in colors[1:])]
