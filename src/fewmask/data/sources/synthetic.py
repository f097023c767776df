"""Scenes made in memory: textured shapes over varied backgrounds, lighting and noise.

Nothing to download, deterministic from a seed, and hard enough that a handful of labels leaves
clear room for unlabeled images: a class is a shape with a texture, never a color, and every scene
has colors, lighting, clutter and noise of its own.
"""

import colorsys
from collections.abc import Callable, Sequence
from functools import cached_property

import cv2
import numpy as np

from fewmask.data.dataset import Classes, Data, DataSource

NAMES = ("background", "disc", "square", "triangle", "ring", "cross", "star")
RARE = 6  # the star stands in one scene of eight
COLORS = (
    (60, 60, 60),
    (230, 85, 80),
    (90, 170, 240),
    (120, 200, 100),
    (245, 190, 70),
    (180, 110, 220),
    (235, 130, 190),
)
SUPERSAMPLE = 2  # shapes are drawn this much larger, for smooth edges


class Synthetic(DataSource):
    """Procedural scenes with seven classes, one of them rare."""

    class Config(DataSource.Config):
        """How many scenes, and how large."""

        labeled: int = 16
        """Scenes with a mask."""
        unlabeled: int = 256
        """Scenes without."""
        val: int = 64
        """Scenes to evaluate on."""
        size: int = 80
        """Height and width of a scene, in pixels."""
        scene_seed: int = 0
        """Draws the scenes; the run's own seed does not change them."""

    config: Config

    def open(self) -> Data:
        """Makes nothing yet: scenes are painted when first asked for."""
        config = self.config
        labeled, unlabeled, val = (
            Scenes(getattr(config, part), config.size, config.scene_seed, part)
            for part in ("labeled", "unlabeled", "val")
        )
        return Data(Classes(NAMES, COLORS), labeled, unlabeled, val)


class Scenes:
    """A set of scenes, painted at the first touch and kept.

    Args:
        count: how many.
        size: height and width, in pixels.
        seed: draws the scenes.
        part: labeled, unlabeled or val; each has scenes of its own.
    """

    def __init__(self, count: int, size: int, seed: int, part: str):
        self.count, self.size, self.seed = count, size, seed
        self.stream = ("labeled", "unlabeled", "val").index(part)
        self.names = [f"{part}_{i:05d}" for i in range(count)]

    def __len__(self) -> int:
        return self.count

    def image(self, index: int) -> np.ndarray:
        """The image as uint8 RGB [size, size, 3]."""
        return self._scenes[index][0]

    def mask(self, index: int) -> np.ndarray:
        """The labels as uint8 [size, size]."""
        return self._scenes[index][1]

    @cached_property
    def _scenes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            paint_scene(np.random.default_rng((self.seed, self.stream, i)), self.size, i % 8 == 3)
            for i in range(self.count)
        ]


def paint_scene(
    rng: np.random.Generator, size: int, with_rare: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one scene of two to four common shapes, and the rare one if asked.

    Returns:
        The image, uint8 [size, size, 3], and its labels, uint8 [size, size].
    """
    canvas = _background(rng, size)
    mask = np.zeros((size, size), np.uint8)
    common = rng.permutation(RARE - 1)[: rng.integers(2, 5)] + 1
    shapes = [*common.tolist(), *([RARE] if with_rare else [])]
    for label in shapes:
        shape = _shape(rng, label, size)  # [size, size] float in 0..1
        paint = _texture(rng, label, size)
        canvas = canvas * (1 - shape[:, :, None]) + paint * shape[:, :, None]
        mask[shape > 0.5] = label
    canvas = canvas * _lighting(rng, size)[:, :, None]
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.2, 0.6))
    canvas = canvas + rng.normal(0, rng.uniform(2, 8), canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8), mask


def _any_color(rng: np.random.Generator) -> np.ndarray:
    return _rgb(rng.uniform(0, 1), rng.uniform(0, 0.4), rng.uniform(0.45, 0.7))


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _smooth_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Noise in 0..1 that varies over about size/cells pixels."""
    coarse = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two colors in patches, with lines across as clutter."""
    blend = _smooth_noise(rng, size, int(rng.integers(2, 9)))[:, :, None]
    canvas: np.ndarray = _any_color(rng) * blend + _any_color(rng) * (1 - blend)
    for _ in range(rng.integers(0, 6)):
        ends = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(
            canvas,
            ends[0],
            ends[1],
            _any_color(rng).tolist(),
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
    return canvas


def _lighting(rng: np.random.Generator, size: int) -> np.ndarray:
    """A brightness ramp in some direction, times an overall exposure."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j]
    ramp: np.ndarray = 1 + strength * (x * np.cos(angle) + y * np.sin(angle))
    return rng.uniform(0.6, 1.2) * ramp


def _texture(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Two colors in the class's own pattern, at an angle and period of its own."""
    angle, period, phase = rng.uniform(0, np.pi), rng.uniform(8, 12), rng.uniform(0, 10)
    y, x = np.mgrid[0:size, 0:size]
    u = (x * np.cos(angle) + y * np.sin(angle) + phase) * 2 * np.pi / period
    v = (y * np.cos(angle) - x * np.sin(angle) + phase) * 2 * np.pi / period
    blend = PATTERNS[label](u, v, rng)[:, :, None]
    light, dark = _rgb(rng.random(), rng.uniform(0, 0.4), 1), _rgb(rng.random(), 0.6, 0.25)
    paint: np.ndarray = light * blend + dark * (1 - blend)
    return paint


def _flat(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full(u.shape, float(rng.integers(2)))


def _stripes(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.sin(u))


def _dots(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(np.sin(u) + np.sin(v) > 0.9, float)


def _checks(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(np.sin(u) * np.sin(v) > 0, float)


def _blobs(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(_smooth_noise(rng, len(u), len(u) // 6) > 0.5, float)


def _speckle(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(_smooth_noise(rng, len(u), len(u) // 2) > 0.5, float)


PATTERNS: tuple[Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray], ...] = (
    _flat,  # background, unused
    _stripes,
    _dots,
    _flat,
    _speckle,
    _blobs,
    _checks,
)  # by label


def _shape(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Where the shape covers the scene: float [size, size] in 0..1, with smooth edges."""
    big = size * SUPERSAMPLE
    canvas = np.zeros((big, big), np.uint8)
    radius = rng.uniform(0.18, 0.28) * big
    center = rng.uniform(0.15, 0.85, 2) * big
    stretch, angle = rng.uniform(0.75, 1.0), rng.uniform(0, 2 * np.pi)

    def place(points: Sequence[tuple[float, float]]) -> np.ndarray:
        local = np.array(points) * radius * (1, stretch)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.asarray(np.rint(local @ turn + center), np.int32)

    for sign, points in enumerate(OUTLINES[label]):
        cv2.fillPoly(canvas, [place(points)], 255 * (1 - sign))
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _circle(radius: float = 1.0) -> list[tuple[float, float]]:
    return [(radius * np.cos(t), radius * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 48)[:-1]]


def _star(points: int = 5, inner: float = 0.42) -> list[tuple[float, float]]:
    turns = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    radii = np.where(np.arange(2 * points) % 2 == 0, 1.2, 1.2 * inner)
    return [(r * np.cos(t), r * np.sin(t)) for r, t in zip(radii, turns, strict=True)]


_CROSS = [
    (-1.1, -0.35),
    (-0.35, -0.35),
    (-0.35, -1.1),
    (0.35, -1.1),
    (0.35, -0.35),
    (1.1, -0.35),
    (1.1, 0.35),
    (0.35, 0.35),
    (0.35, 1.1),
    (-0.35, 1.1),
    (-0.35, 0.35),
    (-1.1, 0.35),
]

OUTLINES: dict[int, list[list[tuple[float, float]]]] = {
    1: [_circle()],
    2: [[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]],
    3: [[(-1.0, -0.8), (1.0, -0.8), (0.0, 1.1)]],
    4: [_circle(1.1), _circle(0.6)],
    5: [_CROSS],
    6: [_star()],
}  # by label: filled outline, then a hole
