"""The nouns everyone shares: images on a device, and what a step reports."""

import pytest
import torch

from fewmask.batch import (
    IMAGE_MEAN,
    IMAGE_STD,
    Batch,
    Labeled,
    StepReport,
    Unlabeled,
    band_statistics,
    normalize,
    send,
    to_device,
)


def test_other_bands_get_the_average_statistics_of_rgb():
    mean, std = band_statistics(5)
    assert mean[:3] == list(IMAGE_MEAN) and std[:3] == list(IMAGE_STD)
    assert mean[3:] == pytest.approx([sum(IMAGE_MEAN) / 3] * 2)
    assert band_statistics(1)[1] == pytest.approx([sum(IMAGE_STD) / 3])


def test_images_are_normalized_by_hand():
    image = torch.tensor([[[[255, 0, 51]]]], dtype=torch.uint8)  # [1, 1, 1, 3]
    expected = [(x - m) / s for x, m, s in zip((1.0, 0.0, 0.2), IMAGE_MEAN, IMAGE_STD, strict=True)]
    assert normalize(image, "cpu")[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_batch_becomes_floats_masks_become_labels():
    image = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    mask = torch.full((2, 4, 5), 255, dtype=torch.uint8)
    valid, index = torch.ones(2, 4, 5, dtype=torch.bool), torch.tensor([3, 1])
    batch = to_device(Batch(Labeled(image, mask), Unlabeled(image, (image,), valid, index)), "cpu")
    assert batch.labeled.image.shape == (2, 3, 4, 5) and batch.labeled.mask.dtype == torch.int64
    assert batch.unlabeled.strong[0].dtype == torch.float32 and batch.unlabeled.present is None
    assert to_device(Batch(Labeled(image, mask), None), "cpu").unlabeled is None


def test_a_step_report_names_its_values_for_the_log():
    report = StepReport(
        {"labeled": torch.tensor(1.0)},
        used_pixels=torch.tensor(0.5),
        easiness=torch.tensor([0.1]),
        scalars={"agreement": torch.tensor(0.2)},
    )
    assert [*report.by_name()] == ["loss_labeled", "easiness", "used_pixels", "agreement"]
    assert [*StepReport({}).by_name()] == []


def test_a_tensor_that_is_already_there_is_not_copied():
    x = torch.ones(2)
    assert send(x, torch.device("cpu")) is x
