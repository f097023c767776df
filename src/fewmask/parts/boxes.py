"""The boxes of CutMix and CutOut, drawn for all images of the global batch.

Random numbers come from torch's CPU generator, which is in the same state in every process.

Source: boxes of one size: Zhao et al., iMAS, CVPR 2023; of half the area: Wang et al., U2PL, CVPR
2022; of a random area: Yang et al., UniMatch, CVPR 2023; several: French et al., BMVC 2020.
"""

import torch
from torch import Tensor


def random_boxes(
    count: int, height: int, width: int, side_range: tuple[float, float], margin: float = 1 / 16
) -> Tensor:
    """Draws one box per image, all of the same size, each at its own place.

    The side is a fraction v ~ U(side_range) of the image's sides; centers are uniform, at least
    `margin` of a side from the top and the left. Boxes are clipped at the border.

    Returns:
        [count, height, width] bool, True inside the box.
    """
    v = uniform(*side_range)
    rows = torch.randint(int(height * margin), height, (count,))
    columns = torch.randint(int(width * margin), width, (count,))
    sides = (int(v * height), int(v * width))
    return boxes_at(rows, columns, sides, height, width)


def half_area_boxes(count: int, height: int, width: int) -> Tensor:
    """Draws one box per image, each with half of the image's area and both sides above one half.

    Source: U2PL's released code, which PCR and GTA-Seg share.

    Returns:
        [count, height, width] bool, True inside the box.
    """
    boxes = []
    for _ in range(count):
        box_width = int(torch.randint(width // 2 + 1, width, ()))
        box_height = half_area_height(height, width, box_width)
        left = int(torch.randint(0, width - box_width + 1, ()))
        top = int(torch.randint(0, height - box_height + 1, ()))
        boxes.append(rectangle(top, left, box_height, box_width, height, width))
    return torch.stack(boxes)


def half_area_height(height: int, width: int, box_width: int) -> int:
    """The height with which a box of a given width covers half of an image."""
    return round(height * width / 2 / box_width)


def area_boxes(
    count: int,
    height: int,
    width: int,
    probability: float,
    area_range: tuple[float, float] = (0.02, 0.4),
    ratio_range: tuple[float, float] = (0.3, 1 / 0.3),
) -> Tensor:
    """Draws a box for some of the images, with a random area; the others get an empty one.

    The area, as a fraction of the image's, is U(area_range). The ratio of rows to columns, each
    relative to the image's, is U(ratio_range), so most boxes are tall. Ratio and corner are drawn
    until the box lies inside.

    Source: the released code of FixMatch and UniMatch for segmentation.

    Args:
        count: of images.
        height: of the images, in pixels.
        width: of the images, in pixels.
        probability: that an image has a box.
        area_range: smallest and largest area.
        ratio_range: smallest and largest ratio.

    Returns:
        [count, height, width] bool, True inside the box.
    """
    boxes = torch.zeros(count, height, width, dtype=torch.bool)
    for i in range(count):
        if torch.rand(()) < probability:
            area = uniform(*area_range)
            boxes[i] = _box_inside(area, ratio_range, height, width)
    return boxes


def _box_inside(area: float, ratio_range: tuple[float, float], height: int, width: int) -> Tensor:
    while True:
        ratio = uniform(*ratio_range)
        rows, columns = int(height * (area * ratio) ** 0.5), int(width * (area / ratio) ** 0.5)
        top, left = int(torch.randint(height, ())), int(torch.randint(width, ()))
        if top + rows <= height and left + columns <= width:
            return rectangle(top, left, rows, columns, height, width)


def toggled_boxes(
    count: int,
    height: int,
    width: int,
    boxes: int = 3,
    area_range: tuple[float, float] = (0.25, 0.5),
) -> Tensor:
    """Draws several boxes per image, which overlap: a pixel in an even number of them is outside.

    Without overlaps, the area would be U(area_range) of the image's, divided by the number of
    boxes for each. Shapes are log-uniform, from a whole row to a whole column of that area.

    Source: French et al., BMVC 2020, with the three boxes of CPS.

    Args:
        count: of images.
        height: of the images, in pixels.
        width: of the images, in pixels.
        boxes: in each image.
        area_range: smallest and largest area of a single box that stands for all of them.

    Returns:
        [count, height, width] bool, True inside.
    """
    inside = torch.zeros(count, height, width, dtype=torch.bool)
    for mask in inside:
        for _ in range(boxes):
            area = uniform(*area_range)
            share = area ** torch.rand(()).item()  # of the height, in [area, 1]
            rows, columns = (
                round(length * part * boxes**-0.5)
                for length, part in ((height, share), (width, area / share))
            )
            top, left = (round(uniform(0, free)) for free in (height - rows, width - columns))
            mask ^= rectangle(top, left, rows, columns, height, width)
    return inside


def uniform(low: float, high: float) -> float:
    """A random number of torch's CPU generator."""
    return low + (high - low) * torch.rand(()).item()


def rectangle(
    top: int, left: int, box_height: int, box_width: int, height: int, width: int
) -> Tensor:
    """A box in an image: [height, width] bool, True inside."""
    box = torch.zeros(height, width, dtype=torch.bool)
    box[top : top + box_height, left : left + box_width] = True
    return box


def boxes_at(
    rows: Tensor, columns: Tensor, sides: tuple[int, int], height: int, width: int
) -> Tensor:
    """Boxes around given centers: [clip(c - side//2), clip(c + side//2)) in rows and columns.

    Args:
        rows: [B] int64, center rows.
        columns: [B] int64, center columns.
        sides: height and width of every box, in pixels.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        [B, height, width] bool, True inside the box.
    """
    y, x = torch.arange(height), torch.arange(width)
    half_height, half_width = sides[0] // 2, sides[1] // 2
    in_rows = (y >= rows[:, None] - half_height) & (y < rows[:, None] + half_height)  # [B, H]
    in_columns = (x >= columns[:, None] - half_width) & (
        x < columns[:, None] + half_width
    )  # [B, W]
    return in_rows[:, :, None] & in_columns[:, None, :]
