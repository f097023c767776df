"""A trained network with everything needed to use it on new images."""

from collections.abc import Sequence
from typing import Self

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from fewmask.data import Classes
from fewmask.data.images import as_rgb, to_long_side
from fewmask.errors import UserError
from fewmask.evaluation.evaluator import eval_mode, probs_at
from fewmask.evaluation.inference import InferenceConfig

WHOLE_PIXELS = 2048 * 2048
"""Larger images are run by sliding windows: whole, they would not fit into memory."""

TILE, MARGIN = 3072, 512
"""Images larger than a tile with its margins are predicted tile by tile."""


class Prediction:
    """What a model says of one image.

    Attributes:
        mask: uint8 [H, W], labels 0..K-1.
        confidence: float32 [H, W] in 0..1, probability of the label.
        classes: their names and colors.
    """

    def __init__(self, mask: np.ndarray, confidence: np.ndarray, classes: Classes):
        self.mask, self.confidence, self.classes = mask, confidence, classes

    @classmethod
    def from_probs(cls, probs: Tensor, classes: Classes) -> Self:
        """The most probable class of each pixel; probs: [K, H, W], sums to 1 over K."""
        confidence, label = probs.max(dim=0)
        return cls(label.to(torch.uint8).cpu().numpy(), confidence.float().cpu().numpy(), classes)

    def overlay(self, image: np.ndarray, opacity: float = 0.5) -> np.ndarray:
        """The image, uint8 [H, W, C], with the labels' colors over it."""
        colors, photo = self.classes.colors[self.mask], np.ascontiguousarray(as_rgb(image))
        return cv2.addWeighted(photo, 1 - opacity, colors, opacity, 0)


class Predictor:
    """Labels images of any size; made by `fewmask.load`.

    Args:
        network: gives an `Output`.
        classes: their names and colors.
        config: whole or sliding, scales, flip.
        long_side: pixels that images are brought to first, as in training; None for their own size.
        device: cpu, cuda or mps.
        channels: bands of an image.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Classes,
        config: InferenceConfig,
        long_side: int | None,
        device: str,
        channels: int = 3,
    ):
        self.network, self.classes, self.config = network.to(device).eval(), classes, config
        self.long_side, self.device, self.channels = long_side, device, channels
        self.pixels_at_once = 0 if device == "cpu" else WHOLE_PIXELS  # halved when memory is short

    def predict(self, image: np.ndarray) -> Prediction:
        """Labels one image.

        Args:
            image: uint8 [H, W, C], RGB unless the model was trained with other bands; any size.

        Raises:
            UserError: for an array of another kind.
        """
        return self.predict_many([image])[0]

    def predict_many(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Labels images of one size, as many at once as fit into a GPU's memory.

        On a CPU they go one at a time: more at once is not faster there.

        Raises:
            UserError: for an array of another kind.
        """
        for image in images:
            self._refuse_other_kinds(image)
        height, width = images[0].shape[:2]
        if self.long_side is None and height * width > (TILE + 2 * MARGIN) ** 2:
            return [self._by_tiles(image) for image in images]
        small = [to_long_side(image, self.long_side) for image in images]
        config, pixels = self.config, small[0].shape[0] * small[0].shape[1]
        if pixels > WHOLE_PIXELS:
            config = config.model_copy(update={"mode": "sliding"})
        found, done = [], 0
        while done < len(small):
            size = max(1, self.pixels_at_once // pixels)
            chunk = np.stack(small[done : done + size])
            try:
                with eval_mode(self.network):
                    probs = probs_at(self.network, chunk, config, self.device, (height, width))
            except torch.OutOfMemoryError:
                if len(chunk) == 1:
                    raise UserError(
                        f"An image of {width}x{height} pixels does not fit into the memory of "
                        f"{self.device}. Predict on the CPU (--accelerator cpu), or smaller images."
                    ) from None
                self.pixels_at_once = pixels * len(chunk) // 2
                continue
            found += [Prediction.from_probs(one, self.classes) for one in probs]
            done += len(chunk)
        return found

    def _by_tiles(self, image: np.ndarray) -> Prediction:
        """Tile by tile, each with a margin around it that is looked at and thrown away.

        The probabilities of all classes of a whole satellite scene would not fit into memory.
        """
        height, width = image.shape[:2]
        mask, confidence = (
            np.empty((height, width), np.uint8),
            np.empty((height, width), np.float32),
        )
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                first = max(0, top - MARGIN), max(0, left - MARGIN)
                seen = image[first[0] : top + TILE + MARGIN, first[1] : left + TILE + MARGIN]
                (part,) = self.predict_many([seen])
                core = slice(top - first[0], None), slice(left - first[1], None)
                tile = slice(top, top + TILE), slice(left, left + TILE)
                rows, columns = mask[tile].shape
                mask[tile] = part.mask[core][:rows, :columns]
                confidence[tile] = part.confidence[core][:rows, :columns]
        return Prediction(mask, confidence, self.classes)

    def _refuse_other_kinds(self, image: np.ndarray) -> None:
        if image.ndim != 3 or image.shape[2] != self.channels or image.dtype != np.uint8:
            raise UserError(
                f"Got an image of {image.dtype} {list(image.shape)}; this model expects uint8 "
                f"[height, width, {self.channels}]."
            )
