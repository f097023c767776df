"""Scenes made in memory from a seed: nothing to download, see `paint_scene`."""

import numpy as np
from pydantic import Field

from fewmask.data.classes import Classes
from fewmask.data.dataset import Dataset
from fewmask.data.source import SUBSETS, Data, DataSource
from fewmask.data.sources.scenes import paint_scene

NAMES = ("background", "disc", "square", "triangle", "ring", "cross", "star")
COLORS = (
    (60, 60, 60),
    (230, 85, 80),
    (90, 170, 240),
    (120, 200, 100),
    (245, 190, 70),
    (180, 110, 220),
    (235, 130, 190),
)


class Synthetic(DataSource):
    """Procedural scenes with seven classes, one of them rare."""

    class Config(DataSource.Config):
        """How many scenes, and how large."""

        labeled: int = Field(default=16, ge=1, le=10**6)
        """Number of scenes with a mask."""
        unlabeled: int = Field(default=256, ge=0, le=10**9)
        """Number of scenes without a mask."""
        val: int = Field(default=64, ge=1, le=10**6)
        """Number of scenes to evaluate on."""
        size: int = Field(default=80, ge=16, le=4096)
        """Height and width of a scene, in pixels."""
        scene_seed: int = Field(default=0, ge=0)
        """Random seed for the scenes. The run's own seed does not change them."""

    config: Config

    def open(self) -> Data:
        """Makes nothing yet: a scene is painted when it is first needed."""
        config = self.config
        labeled, unlabeled, val = (
            Scenes(getattr(config, subset), config.size, config.scene_seed, subset)
            for subset in SUBSETS
        )
        return Data(Classes(NAMES, COLORS), labeled, unlabeled, val)


class Scenes(Dataset):
    """A set of scenes. Each is painted when it is first needed, and kept.

    Args:
        count: how many.
        size: height and width, in pixels.
        seed: draws the scenes.
        subset: labeled, unlabeled or val. Each has its own scenes.
    """

    def __init__(self, count: int, size: int, seed: int, subset: str):
        self.size, self.seed = size, seed
        self.stream = SUBSETS.index(subset)
        self.names = [f"{subset}_{i:05d}" for i in range(count)]
        self._painted: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 RGB [size, size, 3]."""
        return self._scene(index)[0]

    def mask(self, index: int) -> np.ndarray:
        """The labels as uint8 [size, size]."""
        return self._scene(index)[1]

    def _scene(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index not in self._painted:
            rng = np.random.default_rng((self.seed, self.stream, index))
            self._painted[index] = paint_scene(rng, self.size, with_rare=index % 8 == 3)
        return self._painted[index]
