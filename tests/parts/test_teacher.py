"""Teacher: the exponential moving average."""

import pytest
import torch
from torch import nn

from fewmask.parts.teacher import Teacher


def test_weights_and_buffers_are_averaged_and_counters_copied(student):
    teacher = Teacher(student)
    before = {k: v.clone() for k, v in teacher.network.state_dict().items()}
    with torch.no_grad():
        for x in student.state_dict().values():
            x.add_(1)
    teacher.update(student, decay=0.75)
    for name, after in teacher.network.state_dict().items():
        if after.is_floating_point():
            torch.testing.assert_close(after, before[name] + 0.25, msg=name)
        else:
            assert after.dtype == torch.int64 and after == before[name] + 1


def test_a_teacher_stays_in_eval_mode_and_gives_no_gradient(student):
    teacher = Teacher(student)
    teacher.train()
    assert not any(module.training for module in teacher.modules())
    output = teacher(torch.randn(1, 3, 32, 32, requires_grad=True))
    assert not output.upsampled_logits.requires_grad


def test_batch_statistics_replace_running_ones_and_dropout_stays_off():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5))
    teacher = Teacher(network, batch_statistics=True)
    x = 5 + 2 * torch.randn(4, 3, 8, 8)
    normalized = teacher(x)
    assert normalized.mean().abs() < 1e-5 and (normalized != 0).all()
    assert not any(module.training for module in teacher.modules())
    assert teacher.network[0].running_mean.abs().sum() > 0  # they follow the batch
    assert Teacher(network)(x).mean() > 4


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_a_teacher_of_a_network_in_half_precision_follows_in_float32(half):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).to(half).eval()
    teacher = Teacher(network)
    start = network[0].weight.float()
    with torch.no_grad():
        network[0].weight.add_(1)
    target = network[0].weight.float()
    for _ in range(10):
        teacher.update(network, decay=0.999)
    assert {x.dtype for x in teacher.state_dict().values()} == {torch.float32, torch.int64}
    moved = target + (start - target) * 0.999**10
    torch.testing.assert_close(teacher.network[0].weight, moved)
    assert teacher(torch.randn(1, 3, 2, 2).to(half)).dtype == torch.float32


def test_a_teacher_stays_float32_when_the_method_around_it_does_not():
    around = nn.Sequential(nn.Linear(2, 2), Teacher(nn.Linear(2, 2)))
    before = around[1].network.weight.clone()
    around.to(torch.bfloat16)
    assert around[0].weight.dtype == torch.bfloat16
    torch.testing.assert_close(around[1].network.weight, before, rtol=0.01, atol=0.01)


def test_statistics_of_frozen_layers_do_not_follow_the_batch():
    frozen, trained = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    frozen.requires_grad_(False)
    teacher = Teacher(nn.Sequential(frozen, trained), batch_statistics=True)
    teacher(torch.randn(2, 3, 4, 4) + 5)
    assert (teacher.network[0].running_mean == 0).all()
    assert (teacher.network[1].running_mean != 0).all()
