"""What a scene shows."""

import numpy as np

from fewmask.data.sources.scenes import RARE, paint_scene


def test_a_scene_shows_two_to_five_shapes_and_the_rare_one_if_asked():
    for seed in range(20):
        image, mask = paint_scene(np.random.default_rng(seed), 64, with_rare=seed % 2 == 0)
        assert image.shape == (64, 64, 3) and image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= set(range(7)) and (mask == 0).any()
        assert (mask == RARE).any() == (seed % 2 == 0)
