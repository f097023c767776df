"""Optimizers and learning rates."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from fewmask.engine.settings import TrainingConfig


def make_optimizer(
    modules: Sequence[nn.Module], config: TrainingConfig, fused: bool | None = None
) -> torch.optim.Optimizer:
    """One optimizer for modules that are trained together.

    The parameters of a module's `encoder` have the learning rate `lr`; all others learn faster.

    Args:
        modules: with their parameters on the final device.
        config: kind and rates.
        fused: whether one kernel updates all tensors; None leaves the choice to torch.
    """
    encoders = [getattr(module, "encoder", None) for module in modules]
    slow = {id(p) for x in encoders if isinstance(x, nn.Module) for p in x.parameters()}
    trained = trainable(modules)
    rates = (config.lr, config.lr * config.head_lr_factor)
    groups = [
        {"params": parameters, "lr": lr, "initial_lr": lr}
        for parameters, lr in zip(
            ([p for p in trained if id(p) in slow], [p for p in trained if id(p) not in slow]),
            rates,
            strict=True,
        )
        if parameters
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=fused)
    decay, momentum = config.weight_decay, config.momentum
    sgd = torch.optim.SGD(groups, momentum=momentum, weight_decay=decay, fused=fused)
    if momentum:
        # The fused kernel leaves its momentum unwritten when fp16 skips the very first step.
        for p in trained:
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return sgd


def trainable(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """The parameters to train; one that several modules share is there once."""
    shared = {id(p): p for module in modules for p in module.parameters()}
    return [p for p in shared.values() if p.requires_grad]


def lr_factor(step: int, config: TrainingConfig) -> float:
    """The factor on the learning rates at a step, 0..steps-1."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    done = (step - config.warmup_steps) / (config.steps - config.warmup_steps)
    if config.schedule == "poly":
        return float((1 - done) ** 0.9)
    if config.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0
