"""How the networks of a method are scored while it trains."""

import time
from collections.abc import Callable

from lightning_fabric import Fabric

from fewmask.data import Data
from fewmask.engine.compiling import eagerly
from fewmask.engine.pseudo_quality import PseudoQuality, pseudo_quality
from fewmask.engine.settings import Settings
from fewmask.engine.streams import validation_stream
from fewmask.evaluation import Scores, evaluate
from fewmask.evaluation.evaluator import Track
from fewmask.methods import Method

FEW = 4
"""Images that a rehearsal evaluates."""


class Validation:
    """Scores the networks and the pseudo-labels of a method; never changes what is learned.

    Args:
        fabric: launched.
        method: on its device.
        data: with validation images.
        settings: evaluation and loader.
    """

    def __init__(self, fabric: Fabric, method: Method, data: Data, settings: Settings):
        self.fabric, self.method, self.data = fabric, method, data
        self.config = settings.evaluation
        # Only a method that reads unlabeled images can have pseudo-labels.
        uses_unlabeled = method.views is not None
        self.stream = None
        if uses_unlabeled:
            normalization = method.student.normalization
            self.stream = validation_stream(data, settings.loader, normalization)

    def scores(
        self, most: int | None = None, tracks: Callable[[str], Track] = lambda network: iter
    ) -> dict[str, Scores]:
        """The scores of each network on the validation images, the main network's first.

        Args:
            most: how many images at most; None: all.
            tracks: shows how many images are done, for a network by name.
        """
        classes, device, val = len(self.data.classes), self.fabric.device, self.data.val
        val = val if most is None else val.subset(range(min(most, len(val))))
        with self.fabric.autocast(), eagerly():
            return {
                name: evaluate(network, val, classes, self.config, device, tracks(name))
                for name, network in self.method.predictors().items()
            }

    def pseudo_quality(self) -> PseudoQuality | None:
        """How good the pseudo-labels are; None for a method without pseudo-labels."""
        if self.stream is None:
            return None
        classes, device = len(self.data.classes), self.fabric.device
        with self.fabric.autocast(), eagerly():
            return pseudo_quality(self.method, self.stream, classes, device)

    def rehearse(self) -> float:
        """Does all that an evaluation does, with a few images: what fails there fails here.

        Returns:
            About how many seconds an evaluation takes.
        """
        self.scores(most=FEW)  # the first image of each size also pays for memory and caches
        start = time.perf_counter()
        self.scores(most=FEW)
        middle = time.perf_counter()
        self.pseudo_quality()
        all_images = (middle - start) * len(self.data.val) / min(FEW, len(self.data.val))
        return all_images + time.perf_counter() - middle
