"""An ONNX file as a network, so that everything that predicts and scores takes it like ours."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from fewmask.batch import Normalization
from fewmask.evaluation.export.onnx_file import OnnxFile
from fewmask.models import Output


class OnnxNetwork(nn.Module):
    """Gives the `Output` of an ONNX file.

    Args:
        file: written by `fewmask export`.
        accelerator: auto, cpu or cuda.

    Raises:
        UserError: if onnxruntime is missing, or cannot read the file.

    Example:
        network = OnnxNetwork(Path("best.onnx"))
        scores = evaluate(network, dataset, num_classes, config)
    """

    digest: Tensor

    def __init__(self, file: Path, accelerator: str = "cpu"):
        super().__init__()
        self.file = OnnxFile(file, accelerator)
        self.card = self.file.card
        mean, std = self.card["normalization"]
        self.normalization = Normalization(tuple(mean), tuple(std))
        # In place of weights: tells predictions of this file from those of others.
        digest = hashlib.sha256(file.read_bytes()).digest()
        self.register_buffer("digest", torch.tensor(list(digest), dtype=torch.uint8))

    def forward(self, image: Tensor) -> Output:
        """Labels images.

        Args:
            image: [B, C, H, W], normalized. The file normalizes by itself, so this is undone first.
        """
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in self.normalization)
        photo = ((image.cpu().float() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        logits = torch.from_numpy(self.file(photo.permute(0, 2, 3, 1).contiguous().numpy()))
        return Output(logits, logits)
