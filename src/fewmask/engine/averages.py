"""Averages of what steps report, over steps and processes."""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from fewmask.batch import StepReport, send
from fewmask.parts import processes


class ReportAverage:
    """Averages step reports; their mean is a report again, of 0-d tensors on the CPU.

    Args:
        device: where the values wait. Processes on GPUs can only average what lies on a GPU.
    """

    def __init__(self, device: torch.device):
        self.losses, self.fixed, self.scalars = (_Average(device) for _ in range(3))

    def add(self, report: StepReport) -> None:
        """Adds the report of one round, without waiting for the device."""
        self.losses.add(report.losses)
        self.scalars.add(report.scalars)
        fixed = {"used_pixels": report.used_pixels, "easiness": report.easiness}
        self.fixed.add({name: value for name, value in fixed.items() if value is not None})

    def take(self) -> StepReport:
        """The mean of the reports since the last call; waits for the device."""
        return StepReport(self.losses.take(), **self.fixed.take(), scalars=self.scalars.take())


class _Average:
    """Averages values by name."""

    def __init__(self, device: torch.device):
        self.device = device
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + send(value.mean(), self.device)
            self.counts[name] += 1  # A method may report more after its warm-up.

    def take(self) -> dict[str, Tensor]:
        sums, counts = self.sums, self.counts
        self.sums, self.counts = {}, Counter()
        return {name: processes.mean(total / counts[name]).cpu() for name, total in sums.items()}
