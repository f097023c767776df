"""Supervised: labeled images only. The baseline, and the smallest method to copy from.

L = CE(student(x_l), y_l)
"""

from fewmask.batch import Batch, Progress, StepReport
from fewmask.methods.method import Method, Minimize
from fewmask.parts.losses import SupervisedLoss


class Supervised(Method):
    """Minimizes the supervised loss."""

    class Config(Method.Config):
        """The loss is the only choice."""

        supervised_loss: SupervisedLoss = SupervisedLoss()
        """Cross-entropy or OHEM, and the weight of the auxiliary head."""

    config: Config

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> StepReport:
        """One step on the labeled images."""
        output = self.student(batch.labeled.image)
        loss = self.config.supervised_loss(output.logits, output.aux_logits, batch.labeled.mask)
        minimize(loss, over=self.student)
        return StepReport({"labeled": loss.detach()})
