"""BatchNorm over the batch of all processes, on any device.

torch's own SyncBatchNorm refuses CPU tensors; this one makes a run on two CPU processes take the
same step as one process on the whole batch.
"""

from collections.abc import Iterable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fewmask.parts import processes


class SyncBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose batch statistics in training are those of the global batch."""

    @classmethod
    def convert(cls, network: nn.Module) -> nn.Module:
        """Replaces every plain BatchNorm2d in a network; parameters and buffers stay the same."""
        for name, child in network.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(network, name, cls._from(child))
            else:
                cls.convert(child)
        return network

    @classmethod
    def _from(cls, norm: nn.BatchNorm2d) -> Self:
        synced = cls(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        synced._parameters = norm._parameters
        synced._buffers = norm._buffers
        return synced.train(norm.training)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor) -> Tensor:
        """Normalizes [B, C, H, W]."""
        if not self.training:
            return super().forward(x)
        normalized, mean, unbiased_var = _Normalize.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        if self.track_running_stats:
            self._follow(mean, unbiased_var)
        result: Tensor = normalized
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, unbiased_var: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_var, self.momentum)
        self.num_batches_tracked.add_(1)


def unshared_buffers(modules: Iterable[nn.Module]) -> list[Tensor]:
    """Floating-point buffers that each process computes for itself, such as plain BatchNorm's.

    Those of synchronized BatchNorm, ours or torch's, are the same on every process.
    """
    layers = [layer for module in modules for layer in module.modules()]
    plain = [x for x in layers if not isinstance(x, (SyncBatchNorm, nn.SyncBatchNorm))]
    buffers = [buffer for layer in plain for buffer in layer.buffers(recurse=False)]
    return [buffer for buffer in buffers if buffer.is_floating_point()]


class _Normalize(torch.autograd.Function):
    """BatchNorm's own kernels on each process, with one message in each direction."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        _, own_mean, own_rstd = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, 0.0)
        # The kernel returns a reciprocal deviation of 0 where the variance is 0.
        own_var = own_rstd.pow(-2).masked_fill(own_rstd == 0, 0)
        own_count = own_mean.new_full((1,), x.numel() / x.shape[1])
        all_own = processes.gather(torch.cat([own_count, own_mean, own_var])[None])
        counts, means, variances = all_own.split_with_sizes([1, x.shape[1], x.shape[1]], dim=1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        var = (counts * (variances + (means - mean).square())).sum(0) / count
        ctx.save_for_backward(x, weight, mean, var, count)
        ctx.eps = eps
        unbiased_var = var * count / (count - 1)
        ctx.mark_non_differentiable(mean, unbiased_var)
        return F.batch_norm(x, mean, var, weight, bias, eps=eps), mean, unbiased_var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradient for fixed statistics, less what flows back through mean and variance."""
        x, weight, mean, var, count = ctx.saved_tensors
        own, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
            upstream, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        both = processes.total(torch.stack([d_weight, d_bias])) / count  # [2, C]
        rstd = (var + ctx.eps).rsqrt()
        slope = weight * rstd * rstd * both[0]
        offset = weight * rstd * both[1] - slope * mean
        zero, one = torch.zeros_like(mean), torch.ones_like(mean)
        # batch_norm with these arguments is slope * x + offset, in one pass over memory.
        own -= F.batch_norm(x, zero, one, slope, offset, eps=0)
        return own, d_weight, d_bias, None
