"""Prepares what the loop of a run needs: the method on its device, health, logger."""

from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.data import Data
from fewmask.data.dataset import label_shares
from fewmask.engine.compiling import compile_networks
from fewmask.engine.health import Health
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.remedies import Remedies
from fewmask.engine.settings import Settings, TrainingConfig
from fewmask.engine.sync_batchnorm import share_batchnorm
from fewmask.methods import Method

PRIOR_MASKS = 200
"""Labeled masks that are read to learn how common each class is."""


def place(method: Method, fabric: Fabric, training: TrainingConfig) -> Minimizer:
    """Moves a method to its device and prepares its networks for training there, in place.

    Returns:
        What minimizes the losses of its networks.
    """
    # Convolutions are faster in channels-last order.
    method.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if training.compile:
        compile_networks(method, fabric.device)
    minimizer = Minimizer(fabric, method, training)
    # The minimizer has prepared the networks it trains; teachers and the like are still as built.
    for name, network in list(method.named_children()):
        if name not in method.trains:
            setattr(method, name, share_batchnorm(network, fabric))
            _compute_in_run_precision(getattr(method, name), fabric)
    return minimizer


def create_health(method: Method, data: Data, settings: Settings) -> Health:
    """Creates what gives advice during a run."""
    prior = None
    # Reading masks takes time, and without unlabeled images there is nothing to compare with.
    if method.views is not None:
        prior = label_shares(data.labeled, len(data.classes), most=PRIOR_MASKS)
    remedies = Remedies.of(method=method.config, loader=settings.loader, training=settings.training)
    return Health(data.classes.names, settings.training.steps, remedies, prior)


def _compute_in_run_precision(network: nn.Module, fabric: Fabric) -> None:
    """Lets a network that is not trained (a teacher) compute in the precision of the run.

    Each call has its own autocast, so that its cache of cast weights never outlives an update.
    """
    forward: Callable[..., Any] = network.forward

    def forward_in_precision(*args: Any, **kwargs: Any) -> Any:
        with fabric.autocast():
            return forward(*args, **kwargs)

    network.forward = forward_in_precision
