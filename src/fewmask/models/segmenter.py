"""Segmenter: encoder -> decoder -> head, the network that every method trains."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewmask.batch import IMAGENET, Normalization
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
    padded: tuple[int, int] | None = None  # (H', W') of the images as seen, if larger than `size`

    @property
    def upsampled_logits(self) -> Tensor:
        """[B, K, H, W] float32, at the size of the images; computed at each access."""
        return self.logits if self.size is None else self._cut(resize(self.logits, self._seen))

    def labels(self) -> Tensor:
        """[B, H, W] int64, the most probable class of each pixel of the images."""
        return self._cut(most_probable(self.logits, self._seen))

    @property
    def _seen(self) -> tuple[int, int]:
        """The size of the images that `logits` covers."""
        height, width = self.logits.shape[-2:]
        return self.padded or self.size or (height, width)

    def _cut(self, x: Tensor) -> Tensor:
        """Removes what belongs to padding."""
        if self.size is None or self.padded is None:
            return x
        return x[..., : self.size[0], : self.size[1]]

    def split(self, *sizes: int) -> list["Output"]:
        """Splits the batch into consecutive shares of the given numbers of images."""
        aux: Sequence[Tensor | None] = [None] * len(sizes)
        if self.aux_logits is not None:
            aux = self.aux_logits.split_with_sizes(sizes)
        logits, features = (x.split_with_sizes(sizes) for x in (self.logits, self.features))
        shares = zip(logits, features, aux, strict=True)
        return [Output(*share, self.size, self.padded) for share in shares]


NORMALIZATION = ("image_mean", "image_std")
"""Buffers of a segmenter."""


class Segmenter(nn.Module):
    """A network that labels every pixel.

    You may call it as a whole, or in parts: `encoder(image)`, then `decode(stages, size)`.

    Args:
        encoder: keeps the `Encoder` contract.
        decoder: made for this encoder's stages.
        num_classes: K.
        aux_head: whether to add a second classifier, which is used in training only.
        normalization: what the encoder expects of images, one value per band.
        crop: side of the training crops. Outside of training, images are padded to sizes that leave
            the same remainder as this side when divided by the encoder's stride; None pads nothing.

    Example:
        model = create_model(ModelConfig(encoder="resnet18"), num_classes=11)
        logits = model(images).upsampled_logits  # [B, 11, H, W]
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: Decoder,
        num_classes: int,
        aux_head: bool = False,
        normalization: Normalization = IMAGENET,
        crop: int | None = None,
    ):
        super().__init__()
        self.num_classes, self.crop = num_classes, crop
        self.normalization = normalization
        # Weights are worth nothing under another normalization, so it travels with them.
        for name, values in zip(NORMALIZATION, normalization, strict=True):
            self.register_buffer(name, torch.tensor(values))
        self.encoder = encoder
        self.decoder = decoder
        self.head = decoder.make_head(num_classes)
        self.aux_head = decoder.make_aux_head(num_classes) if aux_head else None

    def forward(self, image: Tensor) -> Output:
        """Labels images.

        Args:
            image: [B, C, H, W], normalized; any H and W.
        """
        height, width = image.shape[-2:]
        if self.training or self.crop is None:
            return self.decode(self.encoder(image), (height, width))
        # At other remainders than in training, feature pixels meet other image pixels, and masks
        # are displaced by up to half a stride.
        stride = self.decoder.stages.strides[-1]
        right, bottom = ((self.crop - length) % stride for length in (width, height))
        seen = _reflect(image, right, bottom)
        output = self.decode(self.encoder(seen), (height + bottom, width + right))
        return output._replace(size=(height, width), padded=output.size)

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

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        """Reads the normalization too; weights of version 0.1 have none, and expect ImageNet's."""
        bands = len(self.normalization.mean)
        for name, values in zip(NORMALIZATION, IMAGENET.for_bands(bands), strict=True):
            state.setdefault(prefix + name, torch.tensor(values))
        mean, std = (state[prefix + name].tolist() for name in NORMALIZATION)
        self.normalization = Normalization(tuple(mean), tuple(std))
        super()._load_from_state_dict(state, prefix, *args)


def _reflect(image: Tensor, right: int, bottom: int) -> Tensor:
    """Pads images [B, C, H, W] with their own mirror image, or their last pixels if too small."""
    if right == bottom == 0:
        return image
    is_small = right >= image.shape[3] or bottom >= image.shape[2]
    return F.pad(image, (0, right, 0, bottom), mode="replicate" if is_small else "reflect")


def _plain(logits: Tensor) -> Tensor:
    """Makes logits float32, as bf16 loses close calls, and contiguous, as softmax likes it."""
    return logits.float().contiguous()
