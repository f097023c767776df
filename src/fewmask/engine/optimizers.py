"""Optimizers and learning rates."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from fewmask.engine.settings import TrainingConfig
from fewmask.models.encoders.layer_decay import decayed_groups


def make_optimizer(
    modules: Sequence[nn.Module], config: TrainingConfig, fused: bool | None = None
) -> torch.optim.Optimizer:
    """One optimizer for modules that are trained together.

    The parameters of a module's `encoder` have the learning rate `lr`; all others learn faster.
    With `layer_decay` the encoder's last layer has `lr`, and each layer before it a smaller one.

    Args:
        modules: with their parameters on the final device.
        config: kind and rates.
        fused: whether one kernel updates all tensors; None leaves the choice to torch.

    Raises:
        UserError: if `layer_decay` is set and an encoder does not know its layers.
    """
    encoders = [getattr(module, "encoder", None) for module in modules]
    slow = [encoder for encoder in encoders if isinstance(encoder, nn.Module)]
    trained = trainable(modules)
    groups = [*_encoder_groups(slow, config), *_other_groups(trained, slow, config)]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=fused)
    decay, momentum = config.weight_decay, config.momentum
    sgd = torch.optim.SGD(groups, momentum=momentum, weight_decay=decay, fused=fused)
    if momentum:
        # The fused kernel leaves its momentum unwritten when fp16 skips the very first step.
        for p in trained:
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return sgd


def _encoder_groups(encoders: list[nn.Module], config: TrainingConfig) -> list[dict[str, Any]]:
    """The parameters of the encoders, all at one rate, or layer by layer, the last one first."""
    if config.layer_decay == 1:
        return _group(trainable(encoders), config.lr)
    return [
        {**group, "weight_decay": layer.weight_decay}
        for encoder in encoders
        for layer in decayed_groups(encoder, config.layer_decay, config.weight_decay)
        for group in _group(layer.parameters, config.lr * layer.scale)
    ]


def _other_groups(
    trained: list[nn.Parameter], encoders: list[nn.Module], config: TrainingConfig
) -> list[dict[str, Any]]:
    """The parameters outside of the encoders."""
    slow = {id(p) for encoder in encoders for p in encoder.parameters()}
    return _group([p for p in trained if id(p) not in slow], config.lr * config.head_lr_factor)


def _group(parameters: list[nn.Parameter], lr: float) -> list[dict[str, Any]]:
    """A group of parameters for an optimizer, unless there are none."""
    return [{"params": parameters, "lr": lr, "initial_lr": lr}] if parameters else []


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
