"""Masks are taken apart into objects, and objects into runs."""

import numpy as np
import pytest

from fewmask.data.annotations.objects import objects, pixels_of, runs_of


def test_objects_are_connected_pieces_of_one_class():
    labels = np.array(
        [
            [1, 0, 0, 2, 2, 255],
            [0, 1, 0, 2, 0, 255],
            [0, 0, 0, 2, 2, 1],
        ],
        np.uint8,
    )
    found = [*objects(labels, {1: "a", 2: "b", 3: "c"})]
    assert [(one.name, one.corner, one.pixels.astype(int).tolist()) for one in found] == [
        ("a", (0, 0), [[1, 0], [0, 1]]),  # they touch at a corner
        ("a", (5, 2), [[1]]),
        ("b", (3, 0), [[1, 1], [1, 0], [1, 1]]),
    ]


def test_runs_start_outside_and_go_row_by_row():
    pixels = np.array([[1, 0, 1], [1, 1, 1]], bool)
    assert runs_of(pixels, (0, 0), (3, 2)) == [0, 1, 1, 4]  # the last pixel ends the last run
    assert runs_of(pixels, (1, 1), (4, 4)) == [5, 1, 1, 1, 1, 3, 4]
    assert runs_of(np.zeros((2, 2), bool), (0, 0), (2, 2)) == [4]
    assert runs_of(np.ones((2, 2), bool), (0, 0), (2, 2)) == [0, 4]


def test_runs_of_any_pixels_are_those_of_the_whole_image():
    random = np.random.default_rng(0)
    for _ in range(50):
        height, width = random.integers(1, 9, 2)
        whole = random.random((height, width)) < 0.6
        runs = runs_of(whole, (0, 0), (width, height))
        assert all(runs[1:]) and np.array_equal(pixels_of(runs, (width, height)), whole)
    for wrong in ([], [3], [5], [6, -2]):
        with pytest.raises(ValueError, match="do not fill 4 pixels"):
            pixels_of(wrong, (2, 2))
