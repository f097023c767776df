"""Pretrained weights of an encoder, from files of several conventions."""

from pathlib import Path

import torch
from torch import Tensor, nn

from fewmask.errors import UserError


def load_weights(encoder: nn.Module, file: Path) -> None:
    """Loads an encoder's weights from a `.safetensors` or PyTorch file.

    Tensors that the encoder does not have (a classification head) are ignored.

    Raises:
        UserError: if the file cannot be read, or lacks tensors that the encoder has.
    """
    own = encoder.state_dict()
    weights = _for_bands(_as_timm_names(read_weights(file), own), own)
    missing = [key for key in own if key not in weights]
    wrong = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or wrong:
        what = f"lacks {len(missing)} of {len(own)} tensors" if missing else "has other shapes"
        raise UserError(
            f"model.pretrained={file}: the file {what} (first: {(missing or wrong)[0]}). It "
            "belongs to another encoder; set model.encoder to the one it was made for."
        )
    encoder.load_state_dict({key: weights[key] for key in own})


# Module names of the deep stem in old files, and timm's names for the same modules.
DEEP_STEM = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3", "bn2": "conv1.4"}
DEEP_STEM |= {"conv3": "conv1.6", "bn3": "bn1"}


def _as_timm_names(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gives the tensors of a deep-stem ResNet file the names that timm uses.

    U2PL's `resnet101.pth` nests the stem's three convolutions as timm's `resnet101s` does
    (conv1.0 ... conv1.6, bn1); other files of the family number them (conv1, bn1 ... conv3, bn3).
    Old files lack BatchNorm's step counters; the encoder's own stand in, as nothing reads them.
    """
    if "conv1.6.weight" in own and "conv3.weight" in weights:
        weights = {
            ".".join([DEEP_STEM.get(key.split(".")[0], key.split(".")[0]), *key.split(".")[1:]]): t
            for key, t in weights.items()
        }
    counters = {key: t for key, t in own.items() if key.endswith("num_batches_tracked")}
    return {**counters, **weights}


def _for_bands(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Adapts the first layer's RGB weights to the bands of this encoder, as timm does."""
    import timm.models

    adapted = dict(weights)
    for key, tensor in weights.items():
        mine = own.get(key)
        if mine is None or mine.ndim != 4 or tensor.ndim != 4 or tensor.shape[1] != 3:
            continue
        if mine.shape[1] != 3 and mine.shape[::2] == tensor.shape[::2]:
            adapted[key] = timm.models.adapt_input_conv(mine.shape[1], tensor)
    return adapted


def read_weights(file: Path) -> dict[str, Tensor]:
    """Reads a flat mapping of names to tensors; code in the file is never run.

    Raises:
        UserError: if the file is missing or holds something else.
    """
    if not file.is_file():
        raise UserError(f"model.pretrained={file}: there is no such file.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and safetensors each fail in their own ways
        raise UserError(
            f"model.pretrained={file}: not a readable weights file ({error})."
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(
            f"model.pretrained={file}: expected a state dict that maps names to tensors."
        )
    return {key.removeprefix("module."): value for key, value in content.items()}
