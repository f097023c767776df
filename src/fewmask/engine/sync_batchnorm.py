"""BatchNorm over the batch of all processes, on any device.

torch's own SyncBatchNorm refuses CPU tensors; this one makes a run on two CPU processes take the
same step as one process on the whole batch.
"""

from typing import Self

import torch
from torch import Tensor, nn

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

    def forward(self, x: Tensor) -> Tensor:
        """Normalises [B, C, H, W]."""
        if not self.training:
            return super().forward(x)
        wide = x.float()
        count = processes.total(wide.new_tensor(x.numel() / x.shape[1]))
        mean = processes.total(wide.sum((0, 2, 3))) / count  # [C]
        centred = wide - mean.view(1, -1, 1, 1)
        var = processes.total(centred.square().sum((0, 2, 3))) / count  # [C]
        if self.track_running_stats:
            self._follow(mean.detach(), (var * count / (count - 1)).detach())
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, unbiased_var: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_var, self.momentum)
        self.num_batches_tracked.add_(1)
