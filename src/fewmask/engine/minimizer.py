"""minimize(loss, over=network): the one place that knows how a gradient step is done."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from fewmask.engine.gradient_averaging import GradientAverage
from fewmask.engine.optimizers import lr_factor, make_optimizer, trainable
from fewmask.engine.run_precision import compute_in_run_precision
from fewmask.engine.settings import TrainingConfig
from fewmask.engine.sync_batchnorm import share_batchnorm, unshared_buffers
from fewmask.methods import Method
from fewmask.parts import processes
from fewmask.parts.spans import span


@dataclass(frozen=True)
class Trained:
    """Modules that one optimizer trains together."""

    names: tuple[str, ...]  # the attributes of the method that hold them
    modules: list[nn.Module]
    parameters: list[nn.Parameter]
    optimizer: Any  # Fabric's, which knows the loss scaler of fp16
    average: GradientAverage | None  # None with a single process

    def averaging(self) -> AbstractContextManager[None]:
        """Surrounds a backward pass whose gradients are averaged over processes."""
        return nullcontext() if self.average is None else self.average.of_backward()


class Minimizer:
    """Takes gradient steps on the networks of a method; it is the `minimize` that a step receives.

    Networks stay the plain modules that the method made; setting them up gives BatchNorm the global
    batch and lets them compute in the run's precision.

    Args:
        fabric: launched.
        method: on its final device.
        config: optimizer, schedule, clipping, accumulation.
    """

    def __init__(self, fabric: Fabric, method: Method, config: TrainingConfig):
        self.fabric, self.config = fabric, config
        self.last_round = True
        # fp16 scales its losses so that small gradients do not vanish; None in other precisions.
        self.scaler: Any = getattr(fabric.strategy.precision, "scaler", None)
        # A fused optimizer removes the scale within its step, which is too late for clipping.
        clips_scaled = self.scaler is not None and config.clip_norm is not None
        self.fused = True if fabric.device.type in ("cpu", "cuda") and not clips_scaled else None
        self.trained = {
            names[0]: self._set_up(method, names) for names in method.trained_together()
        }
        self.constant = method.constant_rates
        self.unshared = [x for t in self.trained.values() for x in unshared_buffers(t.modules)]

    def _set_up(self, method: Method, names: tuple[str, ...]) -> Trained:
        """Prepares some of the method's modules to be trained by one optimizer."""
        modules = []
        for name in names:
            module = share_batchnorm(getattr(method, name), self.fabric)
            compute_in_run_precision(module, self.fabric, converts_results=True)
            processes.copy_from_first([*module.parameters(), *module.buffers()])
            setattr(method, name, module)
            modules.append(module)
        parameters = trainable(modules)
        optimizer = make_optimizer(modules, self.config, self.fused)
        average = GradientAverage(parameters) if processes.world_size() > 1 else None
        return Trained(names, modules, parameters, self.fabric.setup_optimizers(optimizer), average)

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers by the name of the network that they train."""
        return {name: trained.optimizer for name, trained in self.trained.items()}

    def begin(self, step: int) -> None:
        """Prepares a step; the learning rates follow from its index, also after a resume."""
        processes.copy_from_first(self.unshared)
        factor = lr_factor(step, self.config)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * (1 if name in self.constant else factor)

    @property
    def lr(self) -> float:
        """The encoder's learning rate in this step."""
        optimizer = next(iter(self.optimizers.values()))
        return float(optimizer.param_groups[0]["lr"])

    def __call__(self, loss: Tensor, over: nn.Module) -> bool:
        """Takes a gradient step; see `fewmask.methods.Minimize`."""
        found = [t for t in self.trained.values() if any(m is over for m in t.modules)]
        known = [name for trained in self.trained.values() for name in trained.names]
        assert found, f"over= must be one of the networks in `trains`: {known}"
        (trained,) = found
        # Accumulated gradients are averaged once, in the last round.
        averaging = trained.averaging() if self.last_round else nullcontext()
        with span("backward"), averaging:
            share = loss / (self.config.accumulate or 1)
            self.fabric.backward(share, inputs=trained.parameters)
        if not self.last_round:
            return False
        with span("optimizer"):
            if self.config.clip_norm is not None:
                # The scaler of fp16 skips a step that is not finite; in other precisions the next
                # loss is NaN, and training stops with a message.
                self.fabric.clip_gradients(
                    over,
                    trained.optimizer,
                    max_norm=self.config.clip_norm,
                    error_if_nonfinite=False,
                )
            self._step(trained.optimizer)
            trained.optimizer.zero_grad()
        return True

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        """Takes the optimizer's step, and rescales other networks' gradients if fp16's scale moves.

        Gradients that another network has accumulated so far were computed with the old scale.
        """
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
        """Restores what `state_dict` returned."""
        for name, optimizer in self.optimizers.items():
            saved = state["optimizers"][name]
            # The saving machine may have chosen otherwise; Adam keeps its counters accordingly.
            groups = [{**group, "fused": self.fused} for group in saved["param_groups"]]
            optimizer.load_state_dict({**saved, "param_groups": groups})
        if state["precision"]:  # empty unless the saving run used fp16
            self.fabric.strategy.precision.load_state_dict(state["precision"])
