"""Masks, overlays and contact sheets as image files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6  # pixels between the tiles of a contact sheet
HEADER = 26  # pixels above them, for the column titles


def save_mask(mask: np.ndarray, colours: np.ndarray, file: Path) -> None:
    """Writes labels uint8 [H, W] as a palette PNG: numbers for programs, colours for people."""
    picture = Image.fromarray(mask)
    picture.putpalette(colours.astype(np.uint8).ravel().tolist())
    picture.save(file)


def save_confidence(confidence: np.ndarray, file: Path) -> None:
    """Writes confidence [H, W] in 0..1 as a grey PNG, 255 = certain."""
    Image.fromarray(np.rint(confidence * 255).astype(np.uint8)).save(file)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], tile: int
) -> Image.Image:
    """Pictures in a grid under column titles.

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
            small = picture.shape[0] < tile  # enlarge without smoothing: labels have no in-between
            resized = Image.fromarray(picture).resize(
                (tile, tile), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
            )
            sheet.paste(resized, (GAP + x * step, HEADER + GAP + y * step))
    return sheet
