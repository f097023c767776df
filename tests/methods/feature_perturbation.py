"""A method that calls parts of its network, with a perturbation of the features in between."""

import torch

from fewmask.batch import Batch, Progress, StepReport, Views
from fewmask.methods import Method, Minimize
from fewmask.parts.losses import cross_entropy, soft_cross_entropy
from fewmask.parts.mixing import at_grid


class FeaturePerturbation(Method):
    """The student agrees with itself when channels of its features are dropped."""

    views = Views()

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """Encodes once, decodes twice."""
        x_l, y_l = batch.labeled
        assert batch.unlabeled is not None
        weak, _, valid, *_ = batch.unlabeled
        size = weak.shape[-2:]
        stages = self.student.encoder(torch.cat([x_l, weak]))
        labeled, clean = self.student.decode(stages, size).split(len(x_l), len(weak))
        # Drawn on the host, where all processes draw the same.
        kept = [(torch.rand(x.shape[1]) < 0.5).to(x) * 2 for x in stages]
        dropped = [x * mask.view(1, -1, 1, 1) for x, mask in zip(stages, kept, strict=True)]
        _, perturbed = self.student.decode(dropped, size).split(len(x_l), len(weak))
        # Soft targets: a threshold would turn a rounding error into another label.
        target = clean.logits.detach().softmax(dim=1)
        valid = at_grid(valid, target.shape[-2:])
        loss_l = cross_entropy(labeled.logits, y_l)
        loss_u = soft_cross_entropy(perturbed.logits, target, valid, valid)
        minimize(loss_l + loss_u, over=self.student)
        return StepReport({"labeled": loss_l.detach(), "unlabeled": loss_u.detach()})
