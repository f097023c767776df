"""The card: what an exported file says about itself, enough to use it without fewmask."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewmask.errors import UserError
from fewmask.evaluation.inference import expected_normalization
from fewmask.evaluation.predictor import Predictor
from fewmask.version import __version__

FORMAT = 1
"""Version of the card."""

Card = dict[str, Any]
"""Plain values by name, each stored as JSON."""

KEYS = (
    "format",  # of the card
    "fewmask",  # the version that wrote the file
    "class_names",
    "class_colors",  # RGB of each class
    "class_values",  # of each class in the user's masks
    "no_label",  # the value that means "no label" in the user's masks, or null; and its RGB
    "in_channels",  # C, bands of an image
    "normalization",  # mean and deviation of each band in 0..1; already inside the network
    "long_side",  # resize photos to this longer side first, and the mask back; or null
    "range",  # values that become 0 and 255, for photos of more than 8 bits; or null
    "size",  # [H, W] if the file takes images of this size alone, or null for any size
    "evaluation",  # how `fewmask predict` uses the network: whole, sliding, scales, flip
    "precision",  # fp32, fp16, int8
    "opset",  # of the ONNX file, or null
    "weights_sha256",  # of the file that the weights come from
)
"""What a card holds."""


def card_of(predictor: Predictor, weights_sha256: str) -> Card:
    """The card of a network in float32 that takes images of any size.

    Args:
        predictor: the network with its classes and settings.
        weights_sha256: of the file that the weights come from.
    """
    classes = predictor.classes
    normalization = expected_normalization(predictor.network, predictor.channels)
    return {
        "format": FORMAT,
        "fewmask": __version__,
        "class_names": list(classes.names),
        "class_colors": classes.colors.tolist(),
        "class_values": list(classes.values),
        "no_label": [classes.no_label, list(classes.no_label_color)],
        "in_channels": predictor.channels,
        "normalization": [list(values) for values in normalization],
        "long_side": predictor.long_side,
        "range": predictor.value_range,
        "size": None,
        "evaluation": predictor.config.model_dump(mode="json"),
        "precision": "fp32",
        "opset": None,
        "weights_sha256": weights_sha256,
    }


def to_strings(card: Card) -> dict[str, str]:
    """The card as a file stores it: one JSON text by name."""
    return {key: json.dumps(value) for key, value in card.items()}


def from_strings(strings: Mapping[str, str], file: Path) -> Card:
    """Reads a card.

    Args:
        strings: what the file stores.
        file: for the message.

    Raises:
        UserError: if this is no card of ours.
    """
    try:
        card = {key: json.loads(strings[key]) for key in KEYS}
    except KeyError as error:
        raise UserError(
            f"{file} was not written by fewmask export: it says nothing about {error}. Export the "
            "run again, or run the file with your own program."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is damaged: {error}. Export the run again.") from None
    if not _has_shape(card):
        raise UserError(f"{file} is damaged: its card has values that cannot be. Export again.")
    if card["format"] != FORMAT:
        raise UserError(
            f"{file} has format {card['format']}; this version of fewmask reads format {FORMAT}. "
            "Export the run again."
        )
    return card


def _has_shape(card: Card) -> bool:
    """Whether the values that describe the network's input are numbers, and as many as needed."""
    channels, size = card["in_channels"], card["size"]
    rows = card["normalization"]
    return (
        isinstance(channels, int)
        and isinstance(rows, list)
        and [len(row) if isinstance(row, list) else 0 for row in rows] == [channels, channels]
        and all(isinstance(value, float) and math.isfinite(value) for row in rows for value in row)
        and (size is None or (isinstance(size, list) and [*map(type, size)] == [int, int]))
        and isinstance(card["evaluation"], dict)
    )
