"""Prepares what the loop of a run needs: the method on its device, health, profile."""

import torch
from lightning_fabric import Fabric
from torch import Tensor

from fewmask.data import Data
from fewmask.data.dataset import label_shares
from fewmask.engine.compiling import compile_networks
from fewmask.engine.health import Health
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.profiling import Profile
from fewmask.engine.remedies import Remedies
from fewmask.engine.run_precision import compute_in_run_precision
from fewmask.engine.settings import Settings
from fewmask.engine.stopwatch import Stopwatch
from fewmask.engine.sync_batchnorm import share_batchnorm
from fewmask.methods import Method
from fewmask.run_folder.paths import RunPaths

PRIOR_MASKS = 200
"""Labeled masks that are read to learn how common each class is."""


def place(method: Method, fabric: Fabric, data: Data, settings: Settings) -> Minimizer:
    """Moves a method to its device and prepares its networks for training there, in place.

    Returns:
        What minimizes the losses of its networks.

    Raises:
        UserError: if the method breaks its contract.
    """
    # Convolutions are faster in channels-last order.
    method.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    method.require_contract(_blank_image(data, settings.loader.crop, fabric.device))
    if settings.training.compile:
        compile_networks(method, fabric.device)
    minimizer = Minimizer(fabric, method, settings.training)
    # The minimizer has prepared the networks it trains; teachers and the like are still as built.
    trained = {name for names in method.trained_together() for name in names}
    for name, network in list(method.named_children()):
        if name not in trained:
            setattr(method, name, share_batchnorm(network, fabric))
            compute_in_run_precision(getattr(method, name), fabric)
    return minimizer


def create_health(method: Method, data: Data, settings: Settings) -> Health:
    """Creates what gives advice during a run."""
    prior = None
    # Reading masks takes time, and without unlabeled images there is nothing to compare with.
    if method.views is not None:
        prior = label_shares(data.labeled, len(data.classes), most=PRIOR_MASKS)
    remedies = Remedies.of(method=method.config, loader=settings.loader, training=settings.training)
    return Health(data.classes.names, settings.training.steps, remedies, prior)


def profiler(fabric: Fabric, method: Method, clock: Stopwatch, paths: RunPaths) -> Profile | None:
    """Measures on the first process only: others would write into the same files."""
    if fabric.global_rank != 0:
        return None
    return Profile([*method.children()], clock, paths, fabric.device.type == "cuda")


def _blank_image(data: Data, side: int, device: torch.device) -> Tensor:
    """[1, C, side, side], with as many bands as the images have."""
    bands = data.labeled.image(0).shape[2]
    return torch.zeros(1, bands, side, side, device=device)
