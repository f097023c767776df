"""BatchNorm layers anywhere in a network."""

from torch import nn

from fewmask.parts.batchnorm import set_momentum


def test_every_batchnorm_layer_gets_the_momentum():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(2), nn.GroupNorm(1, 2)))
    set_momentum(network, 0.25)
    assert network[0].momentum == network[1][0].momentum == 0.25
