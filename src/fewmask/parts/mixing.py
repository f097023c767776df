"""CutMix on images, labels and confidences together: whom to mix with, which boxes, the paste.

Source: Yun et al., CutMix, ICCV 2019; easy-hard pairing: Zhao et al., iMAS, CVPR 2023.
"""

import torch
from torch import Tensor


def easy_hard_partners(easiness: Tensor) -> Tensor:
    """Pairs the easiest image with the hardest, the second easiest with the second hardest, ...

    Args:
        easiness: [B]; any order-giving score. Equal scores keep their order.

    Returns:
        [B] int64, the partner of each image; symmetric. With odd B the middle one gets itself.

    Example:
        easy_hard_partners(torch.tensor([0.2, 0.9, 0.5, 0.7]))  # tensor([1, 0, 3, 2])
    """
    order = easiness.argsort(stable=True)
    partner = torch.empty_like(order)
    partner[order] = order.flip(0)
    return partner


def random_boxes(
    count: int, height: int, width: int, side_range: tuple[float, float], margin: float = 1 / 16
) -> Tensor:
    """Draws one box per image: all of one size, each at its own place.

    The side is a fraction v ~ U(side_range) of the image's sides; centres are uniform, at least
    `margin` of a side from the top and the left. Boxes are cut at the border.
    Randomness comes from torch's CPU generator.

    Returns:
        [count, height, width] bool, True inside the box.
    """
    low, high = side_range
    v = low + (high - low) * torch.rand(()).item()
    rows = torch.randint(int(height * margin), height, (count,))
    columns = torch.randint(int(width * margin), width, (count,))
    sides = (int(v * height), int(v * width))
    return boxes_at(rows, columns, sides, height, width)


def boxes_at(
    rows: Tensor, columns: Tensor, sides: tuple[int, int], height: int, width: int
) -> Tensor:
    """Boxes around given centres: [clip(c - side//2), clip(c + side//2)) in rows and columns.

    Args:
        rows: [B] int64, centre rows.
        columns: [B] int64, centre columns.
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


def paste(x: Tensor, partner: Tensor, boxes: Tensor) -> Tensor:
    """Replaces the box of each image by the same place of its partner, as it was before any paste.

    Args:
        x: [B, H, W] labels or confidences, or [B, C, H, W] images.
        partner: [B] int64.
        boxes: [B, H, W] bool.
    """
    boxes = boxes.unsqueeze(1) if x.ndim == 4 else boxes
    return torch.where(boxes, x[partner], x)
