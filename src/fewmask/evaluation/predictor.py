"""A trained network with everything needed to use it on new images."""

from collections.abc import Sequence
from typing import Self

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from fewmask.data import Classes
from fewmask.data.images import Range, as_rgb, to_long_side
from fewmask.errors import UserError
from fewmask.evaluation.inference import InferenceConfig, eval_mode, probs_at

WHOLE_PIXELS = 2048 * 2048
"""Larger images are predicted by sliding windows, because as a whole they do not fit in memory."""

TILE, MARGIN = 3072, 512
"""Images larger than a tile with its margins are predicted tile by tile."""


class Prediction:
    """What a model predicts for one image.

    Attributes:
        mask: uint8 [H, W], labels 0..K-1.
        confidence: float32 [H, W] in 0..1, the probability of the label.
        classes: names and colors of the labels.
    """

    def __init__(self, mask: np.ndarray, confidence: np.ndarray, classes: Classes):
        self.mask, self.confidence, self.classes = mask, confidence, classes

    @classmethod
    def from_probs(cls, probs: Tensor, classes: Classes) -> Self:
        """The most probable class of each pixel; probs: [K, H, W], sums to 1 over K."""
        confidence, label = probs.max(dim=0)
        return cls(label.to(torch.uint8).cpu().numpy(), confidence.float().cpu().numpy(), classes)

    def overlay(self, image: np.ndarray, opacity: float = 0.5) -> np.ndarray:
        """The image, uint8 [H, W, C], covered with the colors of the labels."""
        colors, photo = self.classes.colors[self.mask], np.ascontiguousarray(as_rgb(image))
        return cv2.addWeighted(photo, 1 - opacity, colors, opacity, 0)


class Predictor:
    """Predicts masks for images of any size. `fewmask.load` makes one from a run folder.

    Args:
        network: gives an `Output`.
        classes: names and colors of the labels.
        config: whole or sliding, scales, flip.
        long_side: resizes each image to this longer side first, as in training; None keeps its own
            size.
        device: cpu, cuda or mps.
        channels: the number of bands of an image.
        value_range: the values that became 0 and 255 in training, if its images have more than 8
            bits. Whoever reads images for this network reads them so.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Classes,
        config: InferenceConfig,
        long_side: int | None,
        device: str,
        channels: int = 3,
        value_range: Range | None = None,
    ):
        self.network, self.classes, self.config = network.to(device).eval(), classes, config
        self.long_side, self.device, self.channels = long_side, device, channels
        self.value_range = value_range
        self.pixels_at_once = 0 if device == "cpu" else WHOLE_PIXELS  # halved when memory is short

    def predict(self, image: np.ndarray) -> Prediction:
        """Predicts one image.

        Args:
            image: uint8 [H, W, C], RGB unless the model was trained on other bands; any size.

        Raises:
            UserError: if the array has another type or number of bands.
        """
        return self.predict_many([image])[0]

    def predict_many(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Predicts images of one size, as many at once as fit into a GPU's memory.

        A CPU predicts them one at a time, because it is not faster with more.

        Raises:
            UserError: if an array has another type or number of bands.
        """
        for image in images:
            self._refuse_other_kinds(image)
        height, width = images[0].shape[:2]
        if self.long_side is None and height * width > (TILE + 2 * MARGIN) ** 2:
            return [self._by_tiles(image) for image in images]
        small = [to_long_side(image, self.long_side) for image in images]
        pixels = small[0].shape[0] * small[0].shape[1]
        found: list[Prediction] = []
        while len(found) < len(small):
            together = max(1, self.pixels_at_once // pixels)
            chunk = np.stack(small[len(found) : len(found) + together])
            try:
                found += self._at_once(chunk, (height, width))
            except torch.OutOfMemoryError:
                if len(chunk) == 1:
                    raise UserError(
                        f"An image of {width}x{height} pixels does not fit into the memory of "
                        f"{self.device}. Predict on the CPU (--accelerator cpu), or smaller images."
                    ) from None
                self.pixels_at_once = pixels * len(chunk) // 2
        return found

    def _at_once(self, images: np.ndarray, size: tuple[int, int]) -> list[Prediction]:
        """Predictions at `size` (H, W) for uint8 images [B, h, w, C]."""
        config = self.config
        if images.shape[1] * images.shape[2] > WHOLE_PIXELS:
            config = config.model_copy(update={"mode": "sliding"})
        with eval_mode(self.network):
            probs = probs_at(self.network, images, config, self.device, size)
        return [Prediction.from_probs(one, self.classes) for one in probs]

    def _by_tiles(self, image: np.ndarray) -> Prediction:
        """Predicts tile by tile, each with a margin around it that is discarded afterwards.

        The probabilities of all classes of a whole satellite scene do not fit into memory. The
        margin gives the pixels at a tile's border the context they have in the whole image.
        """
        height, width = image.shape[:2]
        mask, confidence = np.empty((height, width), np.uint8), np.empty((height, width), "float32")
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                first = max(0, top - MARGIN), max(0, left - MARGIN)
                seen = image[first[0] : top + TILE + MARGIN, first[1] : left + TILE + MARGIN]
                (found,) = self.predict_many([seen])
                core = slice(top - first[0], None), slice(left - first[1], None)
                tile = slice(top, top + TILE), slice(left, left + TILE)
                rows, columns = mask[tile].shape
                mask[tile] = found.mask[core][:rows, :columns]
                confidence[tile] = found.confidence[core][:rows, :columns]
        return Prediction(mask, confidence, self.classes)

    def _refuse_other_kinds(self, image: np.ndarray) -> None:
        if not isinstance(image, np.ndarray):
            raise UserError(
                f"Got {type(image).__name__} instead of an image. Read the file first, for example "
                "np.asarray(PIL.Image.open(FILE).convert('RGB')), or use fewmask predict."
            )
        if (
            image.size == 0
            or image.ndim != 3
            or image.shape[2] != self.channels
            or image.dtype != np.uint8
        ):
            raise UserError(
                f"Got an image of {image.dtype} {list(image.shape)}; this model expects uint8 "
                f"[height, width, {self.channels}]."
            )
