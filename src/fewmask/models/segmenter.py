"""Segmenter: encoder -> decoder -> head, the network that every method trains."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fewmask.models.decoders.decoder import Decoder
from fewmask.parts.pseudo_labels import most_probable
from fewmask.parts.resizing import resize


class Output(NamedTuple):
    """The result of a segmenter's forward pass.

    Logits keep the head's own size and are resized only when asked for, because full-size logits of
    a whole batch take a lot of memory.
    """

    logits: Tensor  # [B, K, h, w] float32
    features: Tensor  # [B, C, h, w], what the head reads
    aux_logits: Tensor | None = None  # [B, K, h', w'] float32, of the auxiliary head, in training
    size: tuple[int, int] | None = None  # (H, W) of the images; None: `logits` is as large

    @property
    def upsampled_logits(self) -> Tensor:
        """[B, K, H, W] float32, at the size of the images; computed at each access."""
        return self.logits if self.size is None else resize(self.logits, self.size)

    def labels(self) -> Tensor:
        """[B, H, W] int64, the most probable class of each pixel of the images."""
        return most_probable(self.logits, self.size or self.logits.shape[-2:])

    def split(self, *sizes: int) -> list["Output"]:
        """Splits the batch into consecutive shares of the given numbers of images."""
        aux: Sequence[Tensor | None] = [None] * len(sizes)
        if self.aux_logits is not None:
            aux = self.aux_logits.split_with_sizes(sizes)
        logits, features = (x.split_with_sizes(sizes) for x in (self.logits, self.features))
        return [Output(*share, self.size) for share in zip(logits, features, aux, strict=True)]


class Segmenter(nn.Module):
    """A network that labels every pixel.

    You may call it as a whole, or in parts: `encoder(image)`, then `decode(stages, size)`.

    Args:
        encoder: keeps the `Encoder` contract.
        decoder: made for this encoder's stages.
        num_classes: K.
        aux_head: whether to add a second classifier, which is used in training only.

    Example:
        model = create_model(ModelConfig(encoder="resnet18"), num_classes=11)
        logits = model(images).upsampled_logits  # [B, 11, H, W]
    """

    def __init__(
        self, encoder: nn.Module, decoder: Decoder, num_classes: int, aux_head: bool = False
    ):
        super().__init__()
        self.num_classes = num_classes
        self.encoder = encoder
        self.decoder = decoder
        self.head = decoder.make_head(num_classes)
        self.aux_head = decoder.make_aux_head(num_classes) if aux_head else None

    def forward(self, image: Tensor) -> Output:
        """Labels images.

        Args:
            image: [B, C, H, W], normalized; any H and W.
        """
        return self.decode(self.encoder(image), image.shape[-2:])

    def decode(self, stages: list[Tensor], size: tuple[int, int] | torch.Size) -> Output:
        """The second half of `forward`: from the encoder's stages to logits.

        Args:
            stages: what `encoder` returned, changed or not.
            size: (H, W) of the images.
        """
        features = self.decoder(stages)  # [B, C, h, w]
        logits, aux_logits = _plain(self.head(features)), None
        if self.aux_head is not None and self.training:
            aux_logits = _plain(self.aux_head(stages[self.decoder.aux_takes]))
        return Output(logits, features, aux_logits, (size[0], size[1]))


def _plain(logits: Tensor) -> Tensor:
    """Makes logits float32, as bf16 loses close calls, and contiguous, as softmax likes it."""
    return logits.float().contiguous()
