"""minimize(loss, over=network): the one place that knows how a gradient step is done."""

import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from fewmask.engine.settings import TrainingConfig
from fewmask.engine.sync_batchnorm import share_batchnorm
from fewmask.methods import Method
from fewmask.parts.spans import part


class Minimizer:
    """Gradient steps on the networks of a method; is the `minimize` that a method is handed.

    Setting it up replaces each trained network of the method by its wrapped version (precision,
    gradient averaging); parameter names in `method.state_dict()` stay clean.

    Args:
        fabric: launched.
        method: on the right device.
        config: optimizer, schedule, clipping, accumulation.
    """

    def __init__(self, fabric: Fabric, method: Method, config: TrainingConfig):
        self.fabric, self.config = fabric, config
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.last_round = True
        # of fp16's losses; otherwise None
        self.scaler: Any = getattr(fabric.strategy.precision, "scaler", None)
        # a fused optimizer unscales gradients within its step: too late to clip them
        clips_scaled = self.scaler is not None and config.clip_norm is not None
        self.fused = True if fabric.device.type in ("cpu", "cuda") and not clips_scaled else None
        for name in method.trains:
            network = share_batchnorm(getattr(method, name), fabric)
            wrapped, optimizer = fabric.setup(network, make_optimizer(network, config, self.fused))
            setattr(method, name, wrapped)
            self.networks[name], self.optimizers[name] = wrapped, optimizer

    def begin(self, step: int) -> None:
        """Sets the learning rates of a step; they follow from its number, also after a resume."""
        factor = lr_factor(step, self.config)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor

    @property
    def lr(self) -> float:
        """The encoder's learning rate in this step."""
        optimizer = next(iter(self.optimizers.values()))
        return float(optimizer.param_groups[0]["lr"])

    def __call__(self, loss: Tensor, over: nn.Module) -> bool:
        """Takes a gradient step; see `fewmask.methods.Minimize`."""
        name = next((n for n, network in self.networks.items() if network is over), None)
        assert name is not None, (
            f"over= must be one of the networks in `trains`: {[*self.networks]}"
        )
        network, optimizer = self.networks[name], self.optimizers[name]
        parameters = [p for p in network.parameters() if p.requires_grad]
        with part("backward"):
            self.fabric.backward(loss / (self.config.accumulate or 1), inputs=parameters)
        if not self.last_round:
            return False
        with part("optimizer"):
            if self.config.clip_norm is not None:
                self.fabric.clip_gradients(
                    network, optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
                )  # the scaler of fp16 leaves such a step out; otherwise the loss will tell
            self._step(optimizer)
            optimizer.zero_grad()
        return True

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        """Steps, and lets what other networks have accumulated follow a change of fp16's scale."""
        others = [other for other in self.optimizers.values() if other is not optimizer]
        groups = [group for other in others for group in other.param_groups]
        waiting = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        if self.scaler is None or not waiting:
            optimizer.step()
            return
        scale = self.scaler.get_scale()
        optimizer.step()
        torch._foreach_mul_(waiting, self.scaler.get_scale() / scale)

    def state_dict(self) -> dict[str, Any]:
        """Optimizer states by network, and the fp16 scaler's."""
        states = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {"optimizers": states, "precision": self.fabric.strategy.precision.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        for name, optimizer in self.optimizers.items():
            saved = state["optimizers"][name]
            # another machine may have chosen otherwise; where Adam's counters go follows from it
            groups = [{**group, "fused": self.fused} for group in saved["param_groups"]]
            optimizer.load_state_dict({**saved, "param_groups": groups})
        if state["precision"]:  # of fp16, as this run's may not have been so far
            self.fabric.strategy.precision.load_state_dict(state["precision"])


def make_optimizer(
    network: nn.Module, config: TrainingConfig, fused: bool | None = None
) -> torch.optim.Optimizer:
    """The optimizer of one network: the encoder's parameters, and the faster ones of the rest.

    Args:
        network: with its parameters on their device.
        config: kind and rates.
        fused: whether one kernel takes the step of all tensors; None leaves it to torch.
    """
    encoder = getattr(network, "encoder", None)
    slow = {id(p) for p in encoder.parameters()} if isinstance(encoder, nn.Module) else set()
    trained = [p for p in network.parameters() if p.requires_grad]
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
    if momentum:  # if fp16 leaves the first step out, the fused kernel would not fill its own
        for p in trained:
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return sgd


def lr_factor(step: int, config: TrainingConfig) -> float:
    """What the learning rates are multiplied by at a step, 0..steps-1."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    done = (step - config.warmup_steps) / (config.steps - config.warmup_steps)
    if config.schedule == "poly":
        return float((1 - done) ** 0.9)
    if config.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0
