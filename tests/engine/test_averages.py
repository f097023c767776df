"""The mean of step reports, over the steps that have reported a value."""

import torch

from fewmask.batch import StepReport
from fewmask.engine.averages import ReportAverage


def test_the_mean_of_reports_is_a_report():
    average = ReportAverage(torch.device("cpu"))
    average.add(StepReport({"labeled": torch.tensor(1.0)}))
    late = {"labeled": torch.tensor(2.0), "unlabeled": torch.tensor(0.5)}
    average.add(
        StepReport(late, torch.tensor(0.25), torch.tensor([0.0, 1.0]), {"x": torch.tensor([4.0])})
    )
    mean = average.take()
    assert mean.by_name() == {
        "loss_labeled": 1.5,
        "loss_unlabeled": 0.5,  # only one step has reported it
        "easiness": 0.5,
        "used_pixels": 0.25,
        "x": 4.0,
    }


def test_taking_starts_again():
    average = ReportAverage(torch.device("cpu"))
    average.add(StepReport({"labeled": torch.tensor(1.0)}, torch.tensor(0.5)))
    average.take()
    average.add(StepReport({"labeled": torch.tensor(3.0)}))
    mean = average.take()
    assert mean.losses == {"labeled": 3.0} and mean.used_pixels is None


def test_a_scalar_may_be_called_like_a_field():
    average = ReportAverage(torch.device("cpu"))
    average.add(StepReport({"x": torch.tensor(1.0)}, scalars={"x": torch.tensor(2.0)}))
    assert average.take().by_name() == {"loss_x": 1.0, "x": 2.0}
