"""A file that says something else than our own prediction is found out."""

import numpy as np
import torch

from fewmask.evaluation.export.parity import at_other_sizes, at_own_size, compare
from fewmask.evaluation.inference import network_input
from tests.evaluation.export.conftest import photos
from tests.evaluation.networks import ByColor


def logits(images):
    network = ByColor()
    with torch.no_grad():
        return network(network_input(network, images, "cpu")).upsampled_logits.numpy()


def test_equal_files_pass_and_shifted_or_broken_ones_do_not():
    images = photos(1, 12, 10)
    same = compare(ByColor(), logits, images)
    assert same.holds and same.difference == 0 and same.equal == 1
    shifted = compare(ByColor(), lambda x: np.roll(logits(x), 1, axis=3), images)
    assert not shifted.holds and shifted.surprising > 0 and shifted.equal < 1
    assert not compare(ByColor(), lambda x: logits(x) * np.nan, images).holds


class Tied(ByColor):
    """All classes are equally probable everywhere."""

    def forward(self, image):
        return super().forward(torch.zeros_like(image))


def test_a_close_call_may_fall_either_way():
    def nudged(images):
        found = np.zeros((1, 3, 2, 2), np.float32)
        found[:, 1, 0, 0] = 1e-4
        return found

    close = compare(Tied(), nudged, photos(1, 2, 2))
    assert close.equal == 0.75 and close.surprising == 0 and close.holds
    far = compare(Tied(), lambda images: 100 * nudged(images), photos(1, 2, 2))
    assert not far.holds


def test_three_different_sizes_are_compared():
    own = at_own_size(photos(1, 70, 90)[0])
    shapes = [batch.shape for batch in (own, *at_other_sizes(own))]
    assert len({shape[1:3] for shape in shapes}) == 3 and [shape[0] for shape in shapes] == [
        1,
        1,
        2,
    ]
    assert at_own_size(photos(1, 2000, 30)[0]).shape == (1, 1024, 30, 3)
    assert all(min(batch.shape) >= 1 for batch in at_other_sizes(photos(1, 2, 3)))
