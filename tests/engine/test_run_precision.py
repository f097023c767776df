"""Networks compute in the run's precision, called as a whole or in parts."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fewmask.engine.run_precision import compute_in_run_precision
from fewmask.models import Segmenter
from fewmask.parts.precision import shared_casts
from fewmask.parts.teacher import Teacher


def in_bf16(network: nn.Module, **options) -> nn.Module:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    compute_in_run_precision(network, fabric, **options)
    return network


@pytest.fixture
def image() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 33, 33)


def test_a_whole_call_is_that_of_autocast(student, image):
    with torch.autocast("cpu", torch.bfloat16):
        expected = student(image)
    found = in_bf16(student, converts_results=True)(image)
    assert torch.equal(found.logits, expected.logits)
    assert expected.features.dtype == torch.bfloat16 and found.features.dtype == torch.float32
    assert torch.equal(found.features, expected.features.float())


def test_calls_of_the_parts_are_the_whole_call(student, image):
    whole = in_bf16(student)(image)
    stages = student.encoder(image)
    assert {x.dtype for x in stages} == {torch.bfloat16}
    decoded = student.decode(stages, image.shape[-2:])
    assert torch.equal(decoded.logits, whole.logits)
    assert student.head(student.decoder(stages)).dtype == torch.bfloat16
    assert student.encoder.backbone(image)[0].dtype == torch.bfloat16


def test_nothing_changes_in_float32(student, image):
    kind = type(student)
    compute_in_run_precision(student, Fabric(accelerator="cpu", devices=1))
    assert type(student) is kind and student.encoder(image)[0].dtype == torch.float32


def test_the_network_keeps_its_kind_and_its_names(student):
    names = [*student.state_dict()]
    in_bf16(student)
    assert isinstance(student, Segmenter) and [*student.state_dict()] == names
    assert repr(student).startswith("Segmenter(")


def test_a_copy_computes_with_its_own_weights(student, image):
    twin = copy.deepcopy(in_bf16(student).eval())
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert twin(image).features.dtype == torch.bfloat16
    assert not torch.equal(twin(image).logits, student(image).logits)


def test_a_teacher_computes_like_its_student(student, image):
    teacher = in_bf16(Teacher(student))
    with torch.autocast("cpu", torch.bfloat16):
        expected = student.eval()(image)
    for network in (teacher, teacher.network):
        assert torch.equal(network(image).logits, expected.logits)
    assert teacher.network.encoder(image)[0].dtype == torch.bfloat16


def test_an_error_leaves_autocast(student, image):
    with pytest.raises(RuntimeError):
        in_bf16(student)(image[:, :1])
    assert not torch.is_autocast_enabled("cpu")


def test_calls_may_share_cast_weights(student, image):
    """One cast per weight instead of one per call: gradients are then added in bf16."""
    layer = in_bf16(nn.Sequential(nn.Conv2d(3, 4, 3)))

    def gradient() -> torch.Tensor:
        layer.zero_grad()
        (layer(image) + layer(2 * image)).float().square().mean().backward()
        return layer[0].weight.grad.clone()

    apart = gradient()
    with shared_casts():
        together = gradient()
    with torch.autocast("cpu", torch.bfloat16):
        expected = gradient()
    assert torch.equal(together, expected) and not torch.equal(apart, expected)
    torch.testing.assert_close(apart, together, rtol=0.1, atol=0.1)
    assert torch.equal(gradient(), apart)  # the cache ends with the context


class Island(nn.Module):
    """Computes one layer in float32, as attention and losses in logarithms do."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            return self.layer(x.float())


def test_a_module_may_compute_in_float32_inside_a_call():
    network = in_bf16(nn.Sequential(Island()))
    assert network(torch.ones(1, 3)).dtype == torch.float32
    assert network[0].layer(torch.ones(1, 3)).dtype == torch.bfloat16  # outside it is a call again


def test_an_error_ends_the_call_that_was_open(student, image):
    with pytest.raises(RuntimeError):
        in_bf16(student)(image[:, :1])
    assert student.encoder(image)[0].dtype == torch.bfloat16


def test_a_saved_network_has_its_original_classes(student, image, tmp_path):
    expected, names = student.eval()(image).logits, {type(m) for m in student.modules()}
    torch.save(in_bf16(student), tmp_path / "network.pt")
    loaded = torch.load(tmp_path / "network.pt", weights_only=False)
    assert {type(m) for m in loaded.modules()} == names
    assert torch.equal(loaded(image).logits, expected)
    assert student.encoder(image)[0].dtype == torch.bfloat16  # the network itself is unchanged


def test_copies_of_copies_compute_alike(student, image):
    twin = copy.deepcopy(copy.deepcopy(in_bf16(student)))
    assert type(twin) is type(student) and type(twin.encoder) is type(student.encoder)
    assert twin.encoder.backbone(image)[0].dtype == torch.bfloat16
