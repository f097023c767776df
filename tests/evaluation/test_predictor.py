"""Predictions for images of any size."""

import numpy as np

import fewmask.evaluation.predictor
from fewmask.data import Classes
from fewmask.evaluation.inference import (
    InferenceConfig,
)
from fewmask.evaluation.predictor import Predictor
from tests.evaluation.networks import ShortOfMemory


def test_as_many_images_at_once_as_fit_and_the_same_result():
    images = [np.random.default_rng(i).integers(0, 256, (20, 13, 3), np.uint8) for i in range(5)]
    network = ShortOfMemory()
    predictor = Predictor(network, Classes("abc"), InferenceConfig(), None, "cpu")
    alone = [predictor.predict(image) for image in images]
    assert network.seen == [1] * 5
    predictor.pixels_at_once = 4 * 20 * 13
    together = predictor.predict_many(images)
    assert network.seen[5:] == [4, 2, 2, 1]
    for a, b in zip(alone, together, strict=True):
        assert (a.mask == b.mask).all() and np.allclose(a.confidence, b.confidence)


def test_tiles_of_a_huge_image_fit_together(monkeypatch):
    monkeypatch.setattr(fewmask.evaluation.predictor, "TILE", 16)
    monkeypatch.setattr(fewmask.evaluation.predictor, "MARGIN", 4)
    image = np.random.default_rng(0).integers(0, 256, (53, 41, 3), np.uint8)
    network = ShortOfMemory()
    whole = Predictor(network, Classes("abc"), InferenceConfig(), 53, "cpu").predict(image)
    assert network.seen == [1]
    tiled = Predictor(network, Classes("abc"), InferenceConfig(), None, "cpu").predict(image)
    assert len(network.seen) == 1 + 4 * 3
    assert (tiled.mask == whole.mask).all() and np.allclose(tiled.confidence, whole.confidence)
