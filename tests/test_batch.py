"""The nouns everyone shares: images on a device, and what a step reports."""

import pytest
import torch

from fewmask.batch import (
    IMAGENET,
    Batch,
    Labeled,
    Progress,
    StepReport,
    Unlabeled,
    normalize,
    send,
    to_device,
)


def test_other_bands_get_the_average_statistics_of_rgb():
    mean, std = IMAGENET.for_bands(5)
    assert mean[:3] == IMAGENET.mean and std[:3] == IMAGENET.std
    assert mean[3:] == pytest.approx([sum(IMAGENET.mean) / 3] * 2)
    assert IMAGENET.for_bands(1).std == pytest.approx([sum(IMAGENET.std) / 3])


def test_images_are_normalized_by_hand():
    image = torch.tensor([[[[255, 0, 51]]]], dtype=torch.uint8)  # [1, 1, 1, 3]
    expected = [(x - m) / s for x, m, s in zip((1.0, 0.0, 0.2), *IMAGENET, strict=True)]
    assert normalize(image, "cpu", IMAGENET)[0, :, 0, 0].tolist() == pytest.approx(
        expected, abs=1e-5
    )


def test_a_batch_becomes_floats_masks_become_labels():
    image = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    mask = torch.full((2, 4, 5), 255, dtype=torch.uint8)
    valid, index = torch.ones(2, 4, 5, dtype=torch.bool), torch.tensor([3, 1])
    unlabeled = Unlabeled(image, (image,), valid, index)
    batch = to_device(Batch(Labeled(image, mask), unlabeled), "cpu", IMAGENET)
    assert batch.labeled.image.shape == (2, 3, 4, 5) and batch.labeled.mask.dtype == torch.int64
    assert batch.unlabeled.strong[0].dtype == torch.float32 and batch.unlabeled.present is None
    assert to_device(Batch(Labeled(image, mask), None), "cpu", IMAGENET).unlabeled is None
    assert batch.labeled_valid is None
    assert to_device(Batch(Labeled(image, mask), None, valid), "cpu", IMAGENET)[2].all()


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


def test_a_warm_up_is_counted_in_steps_or_else_in_epochs():
    progress = Progress(step=0, total_steps=100, steps_per_epoch=7)
    assert progress.in_steps(2, None) == 14
    assert progress.in_steps(2, 5) == 5 and progress.in_steps(2, 0) == 0
