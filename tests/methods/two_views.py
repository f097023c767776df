"""What the tests of methods with two strong views share: known logits, and plain transcriptions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IGNORE, Batch, Labeled, Unlabeled
from fewmask.models import ModelConfig, Output, Segmenter, create_model
from tests.methods import golden
from tests.methods.test_imas import logits

COUNT = 4

# As in test_fixmatch.py: all logits are 0 but the given label's.
STRONG_2 = logits([[[0, 0], [2, 1]], [[0, 1], [1, 2]]], [[[1, 1], [1, 2]], [[2, 1], [2, 1]]], 3)
BOXES_2 = torch.tensor([[[False, False], [False, False]], [[True, False], [True, False]]])


class Preset(nn.Module):
    """A network whose logits are known: those of its calls, one after the other."""

    def __init__(self, *answers: Tensor):
        super().__init__()
        self.num_classes, self.answers = 3, [*answers]
        self.decoder = nn.Identity()
        self.seen: list[tuple[bool, int]] = []

    def encoder(self, images: Tensor) -> list[Tensor]:
        self.seen.append((self.training, len(images)))
        return [images]

    def decode(self, stages: list[Tensor], size: torch.Size) -> Output:
        answer = self.answers.pop(0)
        return Output(answer, answer, None, (size[0], size[1]))

    def forward(self, images: Tensor) -> Output:
        return self.decode(self.encoder(images), images.shape[-2:])


def some_batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x_l, weak, first, second = torch.randn(4, COUNT, 3, 33, 33, generator=generator)
    mask = torch.randint(0, 3, (COUNT, 33, 33), generator=generator)
    mask[:, :, 25:] = IGNORE
    valid = torch.ones(COUNT, 33, 33, dtype=torch.bool)
    valid[1, 20:], valid[3, :, 28:] = False, False
    unlabeled = Unlabeled(weak, (first, second), valid, torch.arange(COUNT))
    return Batch(Labeled(x_l, mask), unlabeled)


def network(decoder: str, aux_head: bool) -> Segmenter:
    """A tiny pyramid with BatchNorm, or a tiny plain transformer with DPT."""
    if decoder != "dpt":
        return golden.network(aux_head)
    torch.manual_seed(0)
    config = ModelConfig(encoder="tests.tiny:PatchEncoder", decoder="dpt")
    made = create_model(config, num_classes=3).double()
    with torch.no_grad():
        made.head[-1].weight.mul_(40)  # or it would be sure of nothing
    return made


def look(logits: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Label and confidence of every pixel."""
    confidence, label = golden.full_size(logits.detach()).softmax(1).max(1)
    return label.masked_fill(~valid, IGNORE), confidence


def pasted(x: Tensor, boxes: Tensor) -> Tensor:
    """Each image, or map, with the box of the one at the mirrored place of the batch."""
    made = x.clone()
    for i in range(COUNT):
        made[i][..., boxes[i]] = x[COUNT - 1 - i][..., boxes[i]]
    return made


def over_valid(logits: Tensor, label: Tensor, confidence: Tensor, threshold: float) -> Tensor:
    """Cross-entropy of the sure pixels, over the number of the valid ones."""
    loss = F.cross_entropy(golden.full_size(logits), label, ignore_index=IGNORE, reduction="none")
    return loss[confidence >= threshold].sum() / (label != IGNORE).sum()


def doubled_or_dropped(width: int) -> Tensor:
    """The factors [B, C, 1, 1] of channel dropout, in float32 as fewmask draws them."""
    drawn = torch.rand(COUNT, width, dtype=torch.float32)
    return torch.where(drawn < 0.5, 2.0, 0.0).double()[:, :, None, None]


def assert_same(found: nn.Module, expected: nn.Module) -> None:
    """Parameters and buffers."""
    ours, theirs = found.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-9, atol=1e-9, msg=key)
