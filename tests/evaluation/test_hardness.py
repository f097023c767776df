"""Measures of hardness, and a varied choice."""

import numpy as np
import pytest
import torch

from fewmask.evaluation.hardness import choose, disagreement, entropy


def looks(*maps):
    """Looks [V, K, 1, n] from probabilities of class 1, two classes."""
    p = torch.tensor(maps)[:, None, None]
    return torch.cat([1 - p, p], dim=1)


def test_entropy_and_disagreement_of_known_looks():
    probs = looks([0.5, 1.0, 1.0], [0.5, 1.0, 0.0])  # unsure; sure; sure of opposites
    assert entropy(probs)[0].tolist() == pytest.approx([1, 0, 1], abs=1e-6)
    assert disagreement(probs)[0].tolist() == pytest.approx([0, 0, 1], abs=1e-6)


def test_the_choice_is_hard_and_not_the_same_scene_many_times():
    hardness = np.array([1.0, 0.99, 0.98, 0.5, 0.4, 0.01])
    scene = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [-1, 0], [0, -1]], float)
    assert choose(hardness, scene, 1) == [0]
    assert set(choose(hardness, scene, 3)) == {0, 3, 4}  # not the copies 1 and 2
    assert sorted(choose(hardness, scene, 99)) == [0, 1, 2, 3, 4, 5]
