"""Pretrained weights of an encoder, from files of several conventions."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models.encoders.timm_import import import_timm

Weights = dict[str, Tensor]
"""Tensors by name."""
OTHER = "It belongs to another encoder; set model.encoder to the one it was made for."


def load_weights(
    encoder: nn.Module, file: Path, rename: Callable[[Weights], Weights] | None = None
) -> None:
    """Loads an encoder's weights from a `.safetensors` or PyTorch file.

    Tensors that the encoder does not have (a classification head) are ignored.

    Args:
        encoder: to fill.
        file: to read.
        rename: gives the tensors of the file the names that timm uses.

    Raises:
        UserError: if the file cannot be read, or lacks tensors that the encoder has.
    """
    own = encoder.state_dict()
    weights = _with_deep_stem(read_weights(file), own)
    if rename is not None:
        weights = _renamed(weights, rename, file)
    # Old files lack BatchNorm's step counters; the encoder's own stand in, as nothing reads them.
    counters = {key: t for key, t in own.items() if key.endswith("num_batches_tracked")}
    weights = _for_bands({**counters, **_with_own_names(weights, own)}, own)
    missing = [key for key in own if key not in weights]
    wrong = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or wrong:
        what = f"lacks {len(missing)} of {len(own)} tensors" if missing else "has other shapes"
        raise UserError(
            f"model.pretrained={file}: the file {what} (first: {(missing or wrong)[0]}). {OTHER}"
        )
    encoder.load_state_dict({key: weights[key] for key in own})


# Module names of the deep stem in old files, and timm's names for the same modules.
DEEP_STEM = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3", "bn2": "conv1.4"}
DEEP_STEM |= {"conv3": "conv1.6", "bn3": "bn1"}


def _with_deep_stem(weights: Weights, own: Weights) -> Weights:
    """Gives the tensors of a deep-stem ResNet file the names that timm uses.

    U2PL's `resnet101.pth` nests the stem's three convolutions as timm's `resnet101s` does
    (conv1.0 ... conv1.6, bn1); other files of the family number them (conv1, bn1 ... conv3, bn3).
    """
    if "conv1.6.weight" not in own or "conv3.weight" not in weights:
        return weights
    return {
        ".".join([DEEP_STEM.get(key.split(".")[0], key.split(".")[0]), *key.split(".")[1:]]): t
        for key, t in weights.items()
    }


def _renamed(weights: Weights, rename: Callable[[Weights], Weights], file: Path) -> Weights:
    try:
        return rename(weights)
    except Exception as error:  # timm's functions stumble over files of other encoders
        raise UserError(
            f"model.pretrained={file}: the file cannot be converted ({error!r}). {OTHER}"
        ) from None


def _with_own_names(weights: Weights, own: Weights) -> Weights:
    """Names the tensors of a whole network as the feature pyramid made of it does.

    timm's pyramids write layers_0 or model.layers.0 where the network has layers.0.
    """
    names = {key.removeprefix("model.").replace("_", "."): key for key in own}
    return {names.get(key.replace("_", "."), key): tensor for key, tensor in weights.items()}


def _for_bands(weights: Weights, own: Weights) -> Weights:
    """Adapts the first layer's RGB weights to the bands of this encoder, as timm does."""
    adapt = import_timm().models.adapt_input_conv
    adapted = dict(weights)
    for key, tensor in weights.items():
        mine = own.get(key)
        if mine is None or mine.ndim != 4 or tensor.ndim != 4 or tensor.shape[1] != 3:
            continue
        if mine.shape[1] != 3 and mine.shape[::2] == tensor.shape[::2]:
            adapted[key] = adapt(mine.shape[1], tensor)
    return adapted


def read_weights(file: Path) -> Weights:
    """Reads a flat mapping of names to tensors; code in the file is never run.

    Raises:
        UserError: if the file is missing or holds something else.
    """
    require_file(file)
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and safetensors each fail in their own ways
        raise UserError(
            f"model.pretrained={file}: not a file of weights. Expected .safetensors, or a state "
            "dict saved by torch.save(model.state_dict(), FILE), with tensors and nothing else."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(
            f"model.pretrained={file}: expected a state dict that maps names to tensors. For the "
            "networks of a run of fewmask, use --weights instead."
        )
    return {key.removeprefix("module."): value for key, value in content.items()}


def require_file(file: Path) -> None:
    """Makes sure that a file of weights is there.

    Raises:
        UserError: if it is not.
    """
    if not file.is_file():
        raise UserError(
            f"model.pretrained={file}: there is no such file. For random weights: "
            "model.pretrained=false."
        )
