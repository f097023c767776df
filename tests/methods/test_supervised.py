"""Supervised: the baseline."""

from fewmask.batch import Batch, Progress
from fewmask.methods.supervised import Supervised


def test_step_minimizes_the_labeled_loss_and_needs_no_unlabeled_images(student, batch, minimize):
    method = Supervised(lambda: student, Supervised.Config(name="supervised"))
    labeled_only = Batch(batch.labeled, None)
    losses = [
        float(method.step(labeled_only, minimize, Progress(i, 10, 1)).losses["labeled"])
        for i in range(6)
    ]
    assert [over for _, over in minimize.calls] == [student] * 6
    assert losses[-1] < losses[0]
