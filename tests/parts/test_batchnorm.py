"""BatchNorm layers anywhere in a network."""

from torch import nn

from fewmask.parts.batchnorm import has_batchnorm, set_momentum


def test_every_batchnorm_layer_gets_the_momentum():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(2), nn.GroupNorm(1, 2)))
    set_momentum(network, 0.25)
    assert network[0].momentum == network[1][0].momentum == 0.25


def test_batchnorm_is_found_at_any_depth_and_other_norms_are_not_taken_for_it():
    norms = nn.Sequential(nn.Sequential(nn.SyncBatchNorm(2))), nn.BatchNorm1d(2)
    assert all(map(has_batchnorm, norms))
    assert not has_batchnorm(nn.Sequential(nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.Identity()))
