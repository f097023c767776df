"""Activation maps and attention: golden numbers follow from the formulas of PseudoSeg's code."""

import torch

from fewmask.parts.cam import AttentionPropagation, class_activation_maps

FEATURES = torch.tensor([[[1.0, 0], [2, 1]], [[0, 3], [1, 1]]]).permute(2, 0, 1)[None]  # [1,2,2,2]
WEIGHT = torch.tensor([[1.0, -1], [-0.5, 1], [-1, -2]])


def close(found, expected, atol=1e-5) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=atol, rtol=0)


def test_maps_of_present_classes_peak_at_one():
    maps = class_activation_maps(FEATURES, WEIGHT, torch.tensor([[0.0, 1, 0]]))[0]
    close(maps, [[[0.0, 0], [0, 0]], [[0, 0], [1, 0.166667]], [[0, 0], [0, 0]]])
    maps = class_activation_maps(FEATURES, WEIGHT, torch.tensor([[1.0, 1, 0]]))[0]
    close(maps[0], [[1.0, 1], [0, 0]])


def test_very_weak_maps_stay_weak():
    features = torch.tensor([[[[4e-6, 2e-6]]]])
    maps = class_activation_maps(features, torch.ones(1, 1), torch.ones(1, 1))
    close(maps[0, 0], [[0.2, 0.1]])


def test_closed_form_is_grad_cam():
    torch.manual_seed(0)
    features = torch.randn(2, 4, 3, 5, requires_grad=True)
    weight = torch.randn(3, 4)
    scores = features.mean(dim=(2, 3)) @ weight.T
    for c in range(3):
        (gradient,) = torch.autograd.grad(scores[:, c].sum(), features, retain_graph=True)
        cam = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1).relu()
        cam = cam / cam.amax(dim=(1, 2), keepdim=True)
        found = class_activation_maps(features, weight, torch.ones(2, 3))[:, c]
        torch.testing.assert_close(found, cam)


def attention() -> AttentionPropagation:
    made = AttentionPropagation(2, 3, has_background=True, dimension=2)
    with torch.no_grad():
        made.query.weight.copy_(torch.tensor([[1.0, 0], [0, 2]])[:, :, None, None])
        made.key.weight.copy_(torch.tensor([[1.0, 0], [1, 1]])[:, :, None, None])
        mix = torch.tensor([[1.0, 0, 0], [0, 2, -1], [0.5, 0, 1]])  # input x output
        made.mix.weight.copy_(mix.T[:, :, None, None])
        made.norm.bias.copy_(torch.tensor([0.5, -0.25, 0]))
    return made


MAPS = torch.tensor([[1.0, 0], [0.5, 1], [0, 0.25]]).T[None, :, None]  # [1, 2, 1, 3]
POSITIONS = torch.tensor([[1.0, 0], [0, 1], [1, 1]]).T[None, :, None]


def test_attention_spreads_maps_and_scores_the_background():
    expected = [
        [-0.811939, 1.041108, -1.397157],
        [0.706813, -0.397140, 0.881687],
        [1.605125, -1.393969, 0.515470],
    ]
    close(attention()(MAPS, [POSITIONS])[0, :, 0].T, expected)


def test_masked_positions_are_not_attended_to():
    module = attention()
    module.norm = torch.nn.Identity()
    module.mix = torch.nn.Identity()
    spread = module(MAPS, [POSITIONS], torch.tensor([[[True, True, False]]]))[0, :, 0].T
    close(spread[:2], [[0.165119, 1.834881, 0.330238], [0.5, 1.25, 1.5]])
    none_valid = module(MAPS, [POSITIONS], torch.zeros(1, 1, 3, dtype=torch.bool))
    assert torch.isfinite(none_valid).all()


def test_constant_features_spread_the_mean():
    module = AttentionPropagation(4, 2, has_background=False)
    module.norm = torch.nn.Identity()
    module.mix = torch.nn.Identity()
    maps = torch.rand(1, 2, 3, 3)
    spread = module(maps, [torch.ones(1, 4, 3, 3)])
    torch.testing.assert_close(spread, maps + maps.mean(dim=(2, 3), keepdim=True))


def test_classes_without_background_get_one_channel_each():
    module = AttentionPropagation(4, 2, has_background=False)
    assert module(torch.rand(2, 2, 3, 3), [torch.rand(2, 4, 3, 3)]).shape == (2, 2, 3, 3)


def test_features_of_several_stages_are_joined_at_the_size_of_the_first():
    torch.manual_seed(0)
    module = AttentionPropagation(5, 2, has_background=False)
    maps, coarse, fine = torch.rand(2, 2, 3, 3), torch.rand(2, 4, 3, 3), torch.rand(2, 1, 5, 5)
    joined = torch.cat([coarse, fine[:, :, ::2, ::2]], dim=1)  # corners meet corners
    torch.testing.assert_close(module(maps, [coarse, fine]), module(maps, [joined]))
