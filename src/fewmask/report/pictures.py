"""Masks, overlays and contact sheets as image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fewmask.batch import IGNORE
from fewmask.data import Classes
from fewmask.data.own_files import OwnFiles

GAP = 6  # pixels between the tiles of a contact sheet
HEADER = 26  # pixels above them, for the column titles


def mask_picture(labels: np.ndarray, classes: Classes) -> Image.Image:
    """Labels uint8 [H, W] (255: no label) in the label values of the user's own masks.

    The result is a palette picture, which programs read as numbers and people see in colors. Values
    above 255 need a 16-bit gray picture.
    """
    no_label = IGNORE if classes.no_label is None else classes.no_label
    table = np.full(256, no_label, np.int64)
    table[: len(classes)] = classes.values
    values = table[labels]
    if max(classes.values) > IGNORE:
        return Image.fromarray(values.astype(np.uint16))
    picture = Image.fromarray(values.astype(np.uint8))
    palette = np.full((256, 3), 255, np.uint8)
    palette[no_label] = classes.no_label_color
    palette[list(classes.values)] = classes.colors
    picture.putpalette(palette.ravel().tolist())
    return picture


def confidence_picture(confidence: np.ndarray) -> Image.Image:
    """Confidence [H, W] in 0..1 as a gray picture; 255 is certain."""
    return Image.fromarray(np.rint(confidence * 255).astype(np.uint8))


def save_whole(picture: Image.Image, file: Path, own: OwnFiles, **options: Any) -> None:
    """Saves a picture completely or not at all, and notes that fewmask wrote it."""
    with own.replacing(file) as temporary:
        picture.save(temporary, **options)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], tile: int
) -> Image.Image:
    """Arranges pictures in a grid with column titles.

    Args:
        rows: uint8 RGB pictures [H, W, 3] of any size; one per title in each row.
        titles: of the columns.
        tile: height and width of a cell, in pixels.
    """
    step = tile + GAP
    sheet = Image.new("RGB", (len(titles) * step + GAP, len(rows) * step + HEADER + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for column, title in enumerate(titles):
        draw.text((GAP + column * step + tile / 2, HEADER / 2), title, "black", font, anchor="mm")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            # Enlarged without smoothing: label colors have no meaning in between.
            small = picture.shape[0] < tile
            resized = Image.fromarray(picture).resize(
                (tile, tile), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
            )
            sheet.paste(resized, (GAP + x * step, HEADER + GAP + y * step))
    return sheet
