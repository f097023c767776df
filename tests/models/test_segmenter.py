"""Segmenter: shapes, variants, what is reachable."""

import pytest
import torch

from fewmask.models import Output, create_model
from tests.conftest import TINY


@pytest.mark.parametrize("size", [(33, 33), (65, 49), (64, 40), (31, 57)])
def test_any_size_goes_in_and_comes_out(student, size):
    output = student.eval()(torch.randn(2, 3, *size))
    assert output.upsampled_logits.shape == (2, 3, *size)
    assert output.aux_logits is None


@pytest.mark.parametrize("crop", [321, 513, 769])
def test_the_papers_crops_meet_feature_pixels(student, crop):
    features = student.eval()(torch.randn(1, 3, crop, crop)).features
    assert features.shape == (1, 8 + 4, (crop - 1) // 4 + 1, (crop - 1) // 4 + 1)


def test_auxiliary_head_speaks_in_training_only():
    model = create_model(TINY.model_copy(update={"aux_head": True}), 3)
    image = torch.randn(2, 3, 32, 32)
    assert model(image).aux_logits.shape == (2, 3, 2, 2)
    assert model.eval()(image).aux_logits is None


def test_logits_are_float32_under_bf16_autocast(student):
    with torch.autocast("cpu", torch.bfloat16):
        output = student(torch.randn(2, 3, 32, 32))
    assert (
        output.upsampled_logits.dtype == torch.float32 and output.features.dtype == torch.bfloat16
    )


def test_channels_last_gives_the_same(student):
    image = torch.randn(2, 3, 40, 40)
    plain = student.eval()(image).upsampled_logits
    last = student.to(memory_format=torch.channels_last)(
        image.to(memory_format=torch.channels_last)
    )
    torch.testing.assert_close(last.upsampled_logits, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(33, 47), None])
def test_shares_and_labels_of_an_output_are_those_of_its_logits(size):
    torch.manual_seed(0)
    coarse, aux = torch.randn(2, 5, 3, 9, 12).requires_grad_().unbind()
    output = Output(coarse, torch.randn(5, 4, 9, 12), aux, size)
    assert torch.equal(output.labels(), output.upsampled_logits.argmax(dim=1))
    assert output.upsampled_logits.shape == (5, 3, *(size or (9, 12)))
    first, unused, last = output.split(2, 1, 2)
    assert torch.equal(
        torch.cat([first.upsampled_logits, unused.upsampled_logits, last.upsampled_logits]),
        output.upsampled_logits,
    )
    assert torch.equal(last.aux_logits, output.aux_logits[3:])
    weights = torch.randn_like(output.upsampled_logits)
    shares = (first.upsampled_logits * weights[:2]).sum() + (
        last.upsampled_logits * weights[3:]
    ).sum()
    slices = (output.upsampled_logits[:2] * weights[:2]).sum() + (
        output.upsampled_logits[3:] * weights[3:]
    ).sum()
    of_shares, of_slices = (torch.autograd.grad(x, coarse)[0] for x in (shares, slices))
    torch.testing.assert_close(of_shares, of_slices)
    assert (of_shares[2] == 0).all()
    assert output._replace(aux_logits=None).split(5)[0].aux_logits is None


def test_a_call_in_parts_is_the_whole_call(student):
    image = torch.randn(2, 3, 33, 47)
    whole = student.eval()(image)
    stages = student.encoder(image)
    found = student.decode(stages, image.shape[-2:])
    assert torch.equal(found.upsampled_logits, whole.upsampled_logits) and found.size == (33, 47)
    assert torch.equal(found.features, student.decoder(stages))
    assert torch.equal(found.logits, student.head(found.features))
