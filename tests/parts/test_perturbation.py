"""Channel dropout of features: what is dropped, for whom, and that means stay."""

import pytest
import torch

from fewmask.parts import perturbation, processes
from fewmask.parts.perturbation import channel_dropout, complementary_dropout


def ones(*widths: int, images: int = 6, side: int = 3) -> list[torch.Tensor]:
    return [torch.ones(images, width, side, side) for width in widths]


def test_a_channel_is_dropped_as_a_whole_or_doubled():
    torch.manual_seed(0)
    for x in channel_dropout(ones(64, 128)):
        assert ((x == x[:, :, :1, :1]) & ((x == 0) | (x == 2))).all()
        assert x.mean() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("probability", [0, 0.25, 0.8])
def test_the_mean_stays_whatever_the_probability(probability):
    torch.manual_seed(0)
    (x,) = channel_dropout(ones(4000), probability)
    assert (x == 0).float().mean() == pytest.approx(probability, abs=0.02)
    assert x.mean() == pytest.approx(1, abs=0.05)


def test_images_and_stages_have_masks_of_their_own():
    torch.manual_seed(0)
    first, second = channel_dropout(ones(256, 256))
    assert 0.4 < (first == second).float().mean() < 0.6
    assert all(0.3 < (first[0] == other).float().mean() < 0.7 for other in first[1:])


def test_gradients_reach_the_channels_that_are_kept_alone():
    stage = torch.randn(2, 8, 3, 3, requires_grad=True)
    (dropped,) = channel_dropout([stage])
    dropped.sum().backward()
    assert torch.equal(stage.grad, 2.0 * (dropped != 0))


def test_a_channel_is_in_one_view_or_the_other():
    torch.manual_seed(0)
    (x,) = complementary_dropout(ones(64, images=12), spared=0)
    first, second = x.chunk(2)
    assert ((x == 0) | (x == 2)).all() and torch.equal(first + second, torch.full_like(first, 2))
    assert first.mean() == pytest.approx(1, abs=0.15)


def test_factors_of_a_mask_known_in_advance(monkeypatch):
    """The first image has [2, 0, 2, 2]; the second one is spared."""
    known = torch.tensor([[2.0, 0, 2, 2], [0, 2, 0, 0]])
    monkeypatch.setattr(perturbation, "_kept", lambda shape, share: known)
    monkeypatch.setattr(torch, "randperm", lambda count: torch.tensor([1, 0]))
    (x,) = complementary_dropout(ones(4, images=4))
    expected = [[2, 0, 2, 2], [1, 1, 1, 1], [0, 2, 0, 0], [1, 1, 1, 1]]
    assert x[:, :, 0, 0].tolist() == expected


@pytest.mark.parametrize(("images", "spared"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_half_of_the_images_rounded_down_is_spared_in_both_views(images, spared):
    torch.manual_seed(0)
    stages = complementary_dropout(ones(32, 64, images=2 * images))
    for first, second in (x.chunk(2) for x in stages):
        whole = [(x == 1).flatten(1).all(1) for x in (first, second)]
        assert torch.equal(*whole) and whole[0].sum() == spared
    assert len({tuple((x[:images] == 1).flatten(1).all(1).tolist()) for x in stages}) == 1


def test_stages_of_one_width_share_their_masks_and_others_do_not():
    torch.manual_seed(0)
    same = complementary_dropout(ones(64, 64, 64, 64))
    assert all(torch.equal(same[0], x) for x in same)
    fine, _, coarse = complementary_dropout(ones(64, 128, 64), spared=0)
    assert 0.4 < (fine == coarse).float().mean() < 0.6


def test_all_spared_changes_nothing():
    stages = [torch.randn(4, 8, 3, 3), torch.randn(4, 16, 2, 2)]
    found = complementary_dropout(stages, spared=1)
    assert all(torch.equal(x, y) for x, y in zip(found, stages, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_features_keep_their_precision(dtype):
    stages = [x.to(dtype) for x in ones(4, 8)]
    found = [*channel_dropout(stages, 0.3), *complementary_dropout(stages)]
    assert {x.dtype for x in found} == {dtype}


def test_each_process_has_its_share_of_the_same_masks(monkeypatch):
    def dropped(rank: int | None, perturb, images: int):
        if rank is not None:
            monkeypatch.setattr(processes, "world_size", lambda: 2)
            monkeypatch.setattr(processes, "rank", lambda: rank)
        torch.manual_seed(0)
        found = perturb(ones(16, 32, images=images))
        monkeypatch.undo()
        return found

    alone = dropped(None, channel_dropout, 8)
    shares = [dropped(rank, channel_dropout, 4) for rank in (0, 1)]
    for x, *own in zip(alone, *shares, strict=True):
        assert torch.equal(x, torch.cat(own))
    alone = dropped(None, complementary_dropout, 8)
    shares = [dropped(rank, complementary_dropout, 4) for rank in (0, 1)]
    for x, first, second in zip(alone, *shares, strict=True):
        assert torch.equal(x, torch.cat([first[:2], second[:2], first[2:], second[2:]]))
