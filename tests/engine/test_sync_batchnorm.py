"""BatchNorm over processes: alone it is plain BatchNorm."""

import copy

import torch
from torch import nn

from fewmask.engine.sync_batchnorm import SyncBatchNorm, unshared_buffers


def test_sync_batchnorm_alone_equals_batchnorm():
    torch.manual_seed(0)
    x = (3 * torch.randn(3, 4, 5, 5) + 10).to(memory_format=torch.channels_last)
    plain = nn.Sequential(nn.BatchNorm2d(4))
    nn.init.uniform_(plain[0].weight), nn.init.uniform_(plain[0].bias)
    synced = SyncBatchNorm.convert(copy.deepcopy(plain))
    upstream, found = torch.randn_like(x), []
    for network in (synced, plain):
        given = x.clone().requires_grad_()
        y = network(given)
        y.backward(upstream)
        found.append((y, given.grad, network[0].weight.grad, network[0].bias.grad))
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(synced[0].running_mean, plain[0].running_mean)
    torch.testing.assert_close(synced[0].running_var, plain[0].running_var)
    torch.testing.assert_close(synced.eval()(x), plain.eval()(x))
    constant = torch.full((2, 4, 3, 3), 7.0)
    gap = synced.train()(constant) - plain.train()(constant)
    assert gap.abs().max() < 1e-3  # a rounding error of the mean, over sqrt(eps)
    torch.testing.assert_close(synced[0].running_var, plain[0].running_var)


def test_buffers_of_synchronized_layers_are_shared_and_others_are_not():
    plain = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm1d(3), nn.Linear(2, 2))
    found = unshared_buffers([plain])
    assert [x.numel() for x in found] == [4, 4, 3, 3]  # means and variances, no counters
    assert [x.numel() for x in unshared_buffers([SyncBatchNorm.convert(plain)])] == [3, 3]
