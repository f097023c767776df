"""Paints synthetic scenes: textured shapes over varied backgrounds, lighting and noise.

A class is a shape with a texture, never a color, and colors, lighting, clutter and noise differ in
every scene. So a handful of labels leaves clear room for unlabeled images to help.
"""

import colorsys
from collections.abc import Callable, Sequence

import cv2
import numpy as np

RARE = 6  # the label of the star, which is in one scene of eight
SUPERSAMPLE = 2  # shapes are drawn this much larger, for smooth edges


def paint_scene(
    rng: np.random.Generator, size: int, with_rare: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one scene with two to four common shapes, and the rare one if asked.

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
    # Blur and noise come last, as in a camera: outlines do not give the shapes away.
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
    """Two colors in patches, crossed by lines as clutter."""
    blend = _smooth_noise(rng, size, int(rng.integers(2, 9)))[:, :, None]
    canvas: np.ndarray = _any_color(rng) * blend + _any_color(rng) * (1 - blend)
    for _ in range(rng.integers(0, 6)):
        ends = rng.integers(0, size, (2, 2)).tolist()
        color, width = _any_color(rng).tolist(), int(rng.integers(1, 3))
        cv2.line(canvas, ends[0], ends[1], color, width, cv2.LINE_AA)
    return canvas


def _lighting(rng: np.random.Generator, size: int) -> np.ndarray:
    """A brightness ramp in a random direction, times an overall exposure."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j]
    ramp: np.ndarray = 1 + strength * (x * np.cos(angle) + y * np.sin(angle))
    return rng.uniform(0.6, 1.2) * ramp


def _texture(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Two colors in the pattern of the class, at a random angle and period."""
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
    """How much of each pixel the shape covers, float [size, size] in 0..1, with smooth edges."""
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
}  # by label: a filled outline, then a hole if there is one
