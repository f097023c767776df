"""Small pictures as data: URLs, so that a report is a single file."""

import base64
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image

from fewmask.data.images import size_at

TILE = 360
"""Longest side of a picture on the page, in pixels."""


def photo(image: np.ndarray) -> str:
    """An image uint8 [H, W, 3] as a JPEG."""
    return _data_url(Image.fromarray(_small(image, cv2.INTER_AREA)), "JPEG")


def sheet(picture: Image.Image) -> str:
    """A picture at its own size as a JPEG."""
    return _data_url(picture, "JPEG")


def map_of_labels(labels: np.ndarray, colors: np.ndarray) -> str:
    """Labels uint8 [H, W] in their colors as a PNG; 255 is white."""
    # Nearest neighbor: between two labels lies no third one.
    picture = Image.fromarray(_small(labels, cv2.INTER_NEAREST))
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(colors)] = colors
    picture.putpalette(palette.ravel().tolist())
    return _data_url(picture, "PNG")


def map_of_confidence(confidence: np.ndarray) -> str:
    """Confidence [H, W] in 0..1 as a gray JPEG; black is uncertain."""
    return photo(np.repeat(np.rint(confidence * 255).astype(np.uint8)[:, :, None], 3, axis=2))


def _small(picture: np.ndarray, interpolation: int) -> np.ndarray:
    size = size_at(picture, min(TILE, max(picture.shape[:2])))
    return cv2.resize(picture, size, interpolation=interpolation)


def _data_url(picture: Image.Image, kind: str) -> str:
    stream = BytesIO()
    options: dict[str, Any] = {"quality": 80} if kind == "JPEG" else {"optimize": True}
    picture.save(stream, kind, **options)
    encoded = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{encoded}"
