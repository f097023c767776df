"""BatchNorm layers, wherever they are in a network."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def set_momentum(network: nn.Module, momentum: float) -> None:
    """Sets how fast the running statistics of all BatchNorm layers follow the batches.

    Args:
        network: to change, in place.
        momentum: weight of each batch, in (0, 1]; TensorFlow's `decay` is 1 - momentum.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = momentum


def has_batchnorm(network: nn.Module) -> bool:
    """Whether a network has BatchNorm layers, so that the images of a batch meet."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())
