"""Masks that are mirrored, shifted, or of other photos do not fit the edges of their photos."""

import numpy as np
import pytest

from fewmask.data import Dataset
from fewmask.data.checks.edges import borders, edge_findings, edge_strength, fit

COUNT = 10


class Drawn(Dataset):
    """Photos of one bright box each on a noisy ground, and their masks, changed by `change`."""

    names = [f"p{i}" for i in range(COUNT)]

    def __init__(self, change=lambda masks: masks, size=(90, 120), seed=0, contrast=60, noise=8):
        rng = np.random.default_rng(seed)
        masks, photos = [], []
        for _ in range(COUNT):
            mask = np.zeros(size, np.uint8)
            top, left = rng.integers(5, 40, 2)
            mask[top : top + rng.integers(15, 40), left : left + rng.integers(15, 60)] = 1
            photo = rng.normal(90, noise, (*size, 3)) + contrast * mask[..., None]
            masks.append(mask)
            photos.append(photo.clip(0, 255).astype(np.uint8))
        self.masks, self.photos = change(masks), photos

    def image(self, index):
        return self.photos[index]

    def mask(self, index):
        return self.masks[index]


def said(change=lambda masks: masks, **options):
    return "\n".join(finding.in_words() for finding in edge_findings(Drawn(change, **options)))


def test_masks_that_fit_are_fine():
    assert said() == "" and said(size=(300, 400)) == ""


@pytest.mark.parametrize(
    ("move", "way"),
    [
        (lambda mask: mask[:, ::-1], "mirrored, left to right"),
        (lambda mask: mask[::-1], "upside down"),
        (lambda mask: mask[::-1, ::-1], "turned by 180 degrees"),
        (lambda mask: np.roll(mask, (-6, 12), (0, 1)), "moved by 10% to the left and 5% down"),
    ],
)
def test_what_all_masks_need_is_named(move, way):
    assert f"if they are {way}" in said(lambda masks: [move(mask) for mask in masks])


def test_masks_of_other_photos_are_counted():
    text = said(lambda masks: masks[3:] + masks[:3])
    assert "masks fit the edges of another photo better than those of their own" in text


def test_two_that_were_swapped_are_named():
    text = said(lambda masks: [masks[1], masks[0], *masks[2:]])
    assert "2 of 10 masks" in text and "files: p0, p1\n" in text


def test_masks_of_photos_that_were_not_looked_at_are_counted():
    strange = Drawn(seed=1).masks
    text = said(lambda masks: strange)
    assert "no better than masks of other photos do. They may be coarse, misplaced" in text


def test_faint_objects_in_noise_are_no_misfits():
    for seed in range(3):
        assert said(seed=seed, contrast=10, noise=25) == ""


def test_masks_that_are_nearly_all_the_same_are_not_compared():
    noise = {"contrast": 0, "noise": 40}
    assert said(lambda masks: [masks[0]] * (COUNT - 1) + [masks[1]], **noise) == ""


def test_scribbles_have_no_borders():
    def scribbled(mask):
        drawn = np.full_like(mask, 255)
        drawn[5:-5:10, 10:-10] = mask[5:-5:10, 10:-10]
        drawn[6:-5:10] = drawn[5:-6:10]
        return drawn

    assert said(lambda masks: [scribbled(mask) for mask in masks]) == ""
    assert borders(np.array([[0, 255, 1, 0]], np.uint8)).tolist() == [[False, False, False, True]]


@pytest.mark.parametrize(
    ("turn", "way"),
    [
        (np.rot90, "turned by 90 degrees to the right"),
        (np.transpose, "transposed (rows as columns)"),
    ],
)
def test_square_masks_may_lie_on_their_side(turn, way):
    text = said(lambda masks: [np.ascontiguousarray(turn(m)) for m in masks], size=(110, 110))
    assert f"if they are {way}" in text


def test_few_masks_and_masks_without_borders_say_nothing():
    class Few(Drawn):
        names = Drawn.names[:5]

    moved = Few(lambda masks: masks[3:] + masks[:3])
    assert not [*edge_findings(moved)]
    assert said(lambda masks: [np.zeros_like(mask) for mask in masks]) == ""


def test_the_fit_is_the_mean_rank_along_borders():
    photo = np.zeros((20, 20, 3), np.uint8)
    photo[:, 10:] = 200
    edges, right, wrong = edge_strength(photo), np.zeros((20, 20)), np.zeros((20, 20))
    right[:, 10:], wrong[:, 3:] = 1, 1
    assert borders(right).sum() == 20 and borders(right)[:, 10].all()
    assert edges.min() == 0 and edges.max() == 1
    assert fit(edges, right.astype(np.uint8)) > 0.8 > 0.6 > fit(edges, wrong.astype(np.uint8))
    assert fit(edges, np.zeros((20, 20), np.uint8)) == 0.5
