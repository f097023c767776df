"""The ablations of PseudoSeg: how the pseudo-label is made, and what makes the two views differ."""

import torch
from pydantic import Field
from torch import Tensor

from fewmask.config import BaseConfig
from fewmask.methods.ablations.row import Row


class Ablation(BaseConfig):
    """Switches of PseudoSeg. As they are, the method is the paper's."""

    hard_labels: bool = False
    """The pseudo-label is the most probable class of the fusion, which is not sharpened, and
    method.threshold applies to its probability."""
    uncalibrated: bool = False
    """No joint scale in the fusion: s = 1."""
    classifier_weight: float = Field(default=1.0, ge=0)
    """Weight of L_cls; with 0 nothing learns to classify images, as without any attention."""
    last_stage_only: bool = False
    """Queries and keys of the attention come from the encoder's last stage, not the last two."""
    jitter: float = Field(default=1.0, ge=0, le=2)
    """Strength of the color jitter: factor of all its ranges; with 0 there is none."""
    crop_labels: bool = False
    """The classes in an unlabeled crop are read from the mask of its image, as in the released
    code's mode with image-level labels, which data.image_labels otherwise gives."""

    @property
    def stages(self) -> int:
        """How many of the encoder's last stages make the hypercolumn."""
        return 1 if self.last_stage_only else 2


def one_hot(probs: Tensor) -> Tensor:
    """Probabilities [B, K, h, w] as 1 for the largest, 0 for the others."""
    return torch.zeros_like(probs).scatter_(1, probs.argmax(dim=1, keepdim=True), 1.0)


DECODER_ONLY = (
    "method.decoder_share=1",
    "method.ablation.uncalibrated=true",
    "method.ablation.classifier_weight=0",
)
HARD = "method.ablation.hard_labels=true"
ROWS = (
    Row("PseudoSeg"),
    Row("decoder only", DECODER_ONLY),
    Row("attention (SGC) only", ("method.decoder_share=0", "method.ablation.uncalibrated=true")),
    Row("fusion without calibration", ("method.ablation.uncalibrated=true",)),
    Row("hard labels of every pixel", (HARD,)),
    Row("hard labels of confident pixels", (HARD, "method.threshold=0.5")),
    Row(
        "decoder only, hard labels of confident pixels",
        (*DECODER_ONLY, HARD, "method.threshold=0.9"),
    ),
    Row("not sharpened", ("method.temperature=1",)),
    Row("hypercolumn of the last stage only", ("method.ablation.last_stage_only=true",)),
    Row("no color jitter", ("method.ablation.jitter=0",)),
    Row("half of the color jitter", ("method.ablation.jitter=0.5",)),
    Row("more color jitter", ("method.ablation.jitter=1.5",)),
    Row("no CutOut", ("method.cutout_side=0",)),
    Row("image-level labels, from the masks of the crops", ("method.ablation.crop_labels=true",)),
)
"""The rows of the paper's ablations; thresholds of hard labels are ours."""
