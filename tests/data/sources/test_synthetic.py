"""Scenes as a data set."""

import numpy as np

from fewmask.data.sources.synthetic import Synthetic


def test_scenes_are_deterministic_and_hold_the_rare_class():
    config = Synthetic.Config(name="synthetic", labeled=16, unlabeled=1, val=8, size=48)
    first, second = Synthetic(config).open(), Synthetic(config).open()
    assert np.array_equal(first.labeled.image(3), second.labeled.image(3))
    counts = np.bincount(
        np.concatenate([first.labeled.mask(i).ravel() for i in range(16)]), minlength=7
    )
    assert (counts > 0).all() and counts[6] < counts[1:6].min()


def test_another_seed_draws_other_scenes_and_each_subset_has_its_own():
    def first(subset, **options):
        config = Synthetic.Config(name="synthetic", labeled=1, unlabeled=1, val=1, **options)
        return getattr(Synthetic(config).open(), subset).image(0)

    scenes = [first("labeled"), first("unlabeled"), first("val"), first("labeled", scene_seed=1)]
    assert len({scene.tobytes() for scene in scenes}) == 4
    assert np.array_equal(first("labeled"), scenes[0])
