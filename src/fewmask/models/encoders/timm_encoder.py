"""Feature pyramids: any timm backbone by name, with an output stride, or the user's own class."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor, library, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.modules.batchnorm import _BatchNorm

from fewmask.config import did_you_mean, find
from fewmask.errors import UserError

_torchvision_schemas: Any = None  # keeps the operator registration below alive


class Encoder(Protocol):
    """What a decoder needs to know of an encoder: an `nn.Module` with two more attributes."""

    channels: list[int]  # of each feature map, finest first
    strides: list[int]  # input pixels per feature pixel, finest first

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Turns [B, C, H, W] into one [B, C_i, H/s_i, W/s_i] per stage."""


class TimmEncoder(nn.Module):
    """The stages of a timm backbone, finest (stride 4) first.

    Args:
        name: any timm model with `features_only`, such as `resnet50` or, as the papers use,
            `resnet101s` (deep 64-64-128 stem).
        output_stride: input pixels per pixel of the last stage: 32, 16 or 8 where timm can dilate
            it.
        pretrained: True downloads ImageNet weights; a file is loaded instead; False starts fresh.
        multi_grid: factors on the dilation of the last stage's blocks, (1, 2, 4) in the papers;
            ResNets only.
        in_channels: bands of an image. Pretrained weights of the first layer, which are made for
            three, are repeated over the bands and scaled down accordingly.

    Raises:
        UserError: for an unknown name, an impossible stride, or weights that cannot be had.
    """

    def __init__(
        self,
        name: str,
        output_stride: int = 32,
        pretrained: bool | Path = False,
        multi_grid: tuple[int, ...] | None = None,
        in_channels: int = 3,
    ):
        super().__init__()
        self.frozen: list[str] = []  # by name: BatchNorm over processes takes the place of others
        timm = import_timm()
        if not timm.is_model(name.split(".")[0]):
            raise UserError(
                f"model.encoder={name}: timm has no such model. "
                f"{did_you_mean(name, timm.list_models())} All names: timm.list_models()."
            )
        shape = {"in_chans": in_channels}
        if output_stride != 32:
            shape["output_stride"] = output_stride
        try:
            self.backbone = timm.create_model(name, features_only=True, **shape)
        except (TypeError, RuntimeError, AssertionError) as error:  # as timm's builders refuse
            raise UserError(
                f"model.encoder={name} with model.output_stride={output_stride}: timm cannot build "
                f"it as a feature pyramid ({error}). Try output_stride=32, or a ResNet."
            ) from None
        if pretrained is True:
            self._load_from_hub(timm, name, shape)
        elif pretrained:
            load_weights(self.backbone, Path(pretrained))
        if multi_grid is not None:
            _dilate_blocks(self.backbone, multi_grid)
        kept = [i for i, s in enumerate(self.backbone.feature_info.reduction()) if s >= 4]
        self.stages = kept  # stride 2 is of no use to any decoder here
        self.channels = [self.backbone.feature_info.channels()[i] for i in kept]
        self.strides = [self.backbone.feature_info.reduction()[i] for i in kept]

    def freeze(self, stages: int) -> None:
        """Keeps the stem and so many stages as they are: no gradients, BatchNorm in eval mode.

        Raises:
            UserError: if there are not so many.
        """
        if stages > len(self.stages):
            raise UserError(
                f"model.frozen_stages={stages}: this encoder has {len(self.stages)} stages."
            )
        if stages:
            last = self.backbone.feature_info.module_name()[self.stages[stages - 1]]
            self.frozen = _names_up_to(self.backbone, last)
        for name in self.frozen:
            self.backbone.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Puts all but the frozen parts into training mode."""
        super().train(mode)
        for name in self.frozen:
            self.backbone.get_submodule(name).eval()
        return self

    def checkpoint_blocks(self) -> None:
        """Keeps the input of each block only, and computes the block again in the backward pass.

        The second pass leaves BatchNorm's running statistics alone, so the result is the same.
        """
        for stage in self.backbone.children():
            for name, block in list(stage.named_children()):
                if len(list(block.children())) > 2:
                    stage.add_module(
                        name, checkpoint_wrapper(block, context_fn=partial(_two_passes, block))
                    )

    def _load_from_hub(self, timm: Any, name: str, shape: dict[str, int]) -> None:
        try:
            source = timm.create_model(name, features_only=True, pretrained=True, **shape)
        except Exception as error:  # timm and its hub raise a dozen kinds when a download fails
            raise UserError(
                f"model.pretrained=true: the weights of '{name}' could not be downloaded "
                f"({type(error).__name__}: {error}). Offline: give a file, "
                "model.pretrained=path/to/weights.safetensors, or start without, "
                "model.pretrained=false."
            ) from None
        self.backbone.load_state_dict(source.state_dict())

    def forward(self, image: Tensor) -> list[Tensor]:
        """Turns images [B, C, H, W] into feature maps, finest first."""
        maps: list[Tensor] = self.backbone(image)
        return [maps[i] for i in self.stages]


def _names_up_to(backbone: nn.Module, last: str) -> list[str]:
    """Names of the modules up to and with `last`, as defined; of nested ones the outermost."""
    place = f"{last}.".replace("_", ".")  # timm's lists write layers.0 as layers_0
    leaves = [(n, m) for n, m in backbone.named_modules() if not [*m.children()]]
    end = max(i for i, (n, _) in enumerate(leaves) if f"{n}.".replace("_", ".").startswith(place))
    before = {id(module) for _, module in leaves[: end + 1]}

    def lies_before(module: nn.Module) -> bool:
        return all(id(m) in before for m in module.modules() if not [*m.children()])

    found = [name for name, module in backbone.named_modules() if lies_before(module)]
    return [name for name in found if not name or name.rpartition(".")[0] not in found]


def _two_passes(block: nn.Module) -> tuple[Any, Any]:
    """What surrounds the forward pass of a block, and its repetition."""
    return nullcontext(), _statistics_paused(block)


@contextmanager
def _statistics_paused(block: nn.Module) -> Iterator[None]:
    """Moves them by nothing: without them the repetition would not save what the first pass did."""
    layers = [m for m in block.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    before = [
        (layer, layer.momentum, cast(Tensor, layer.num_batches_tracked).clone()) for layer in layers
    ]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum, count in before:
            layer.momentum = momentum
            cast(Tensor, layer.num_batches_tracked).copy_(count)


def _dilate_blocks(backbone: nn.Module, factors: tuple[int, ...]) -> None:
    """Multi-grid: block i of the last stage gets `factors[i]` times the stage's dilation.

    Source: Chen et al., Rethinking Atrous Convolution, 2017, section 3.2.1.
    """
    blocks = list(getattr(backbone, "layer4", []))
    if len(blocks) != len(factors) or not all(hasattr(block, "conv3") for block in blocks):
        raise UserError(
            f"model.multi_grid={list(factors)} needs a ResNet whose last stage has {len(factors)} "
            "bottleneck blocks, such as resnet50 or resnet101s. Leave it out for other encoders."
        )
    dilation = blocks[-1].conv2.dilation[0]  # the first block's is the stage before's
    for block, factor in zip(blocks, factors, strict=True):
        block.conv2.dilation = block.conv2.padding = (factor * dilation, factor * dilation)


def create_encoder(
    name: str,
    output_stride: int,
    pretrained: bool | Path,
    multi_grid: tuple[int, ...] | None = None,
    in_channels: int = 3,
) -> nn.Module:
    """An encoder by timm name, or the user's own class as `package.module:Class`.

    The user's class is called as `Class(output_stride=...)`, with `in_channels` too where that is
    not 3, and keeps the `Encoder` protocol.
    """
    if ":" in name:
        bands = {} if in_channels == 3 else {"in_channels": in_channels}
        encoder: nn.Module = find(name, {}, "encoder")(output_stride=output_stride, **bands)
        if pretrained:
            load_weights(encoder, Path(str(pretrained)))
        return encoder
    return TimmEncoder(name, output_stride, pretrained, multi_grid, in_channels)


def load_weights(encoder: nn.Module, file: Path) -> None:
    """Loads an encoder's weights from a `.safetensors` or PyTorch file.

    Tensors the encoder has no use for (a classification head) are left out.

    Raises:
        UserError: if the file cannot be read, or lacks tensors the encoder has.
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


DEEP_STEM = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3", "bn2": "conv1.4"}
DEEP_STEM |= {"conv3": "conv1.6", "bn3": "bn1"}


def _as_timm_names(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gives the tensors of a deep-stem ResNet file the names that timm uses.

    U2PL's `resnet101.pth` nests the stem's three convolutions as timm's `resnet101s` does
    (conv1.0 ... conv1.6, bn1); other files of the family number them (conv1, bn1 ... conv3, bn3).
    Old files lack BatchNorm's step counters, which count nothing here.
    """
    if "conv1.6.weight" in own and "conv3.weight" in weights:
        weights = {
            ".".join([DEEP_STEM.get(key.split(".")[0], key.split(".")[0]), *key.split(".")[1:]]): t
            for key, t in weights.items()
        }
    counters = {key: t for key, t in own.items() if key.endswith("num_batches_tracked")}
    return {**counters, **weights}


def _for_bands(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fits the first layer's weights, made for RGB, to the bands of this encoder, as timm does."""
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
    """Reads a flat name-to-tensor mapping; nothing in the file is run.

    Raises:
        UserError: if there is no such file or it holds something else.
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
        raise UserError(f"model.pretrained={file}: expected a state dict, names to tensors.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def import_timm() -> Any:
    """Imports timm, also where torchvision's compiled part does not fit a CPU-only torch.

    torchvision from the package index is built against CUDA torch. With a CPU torch, importing it
    (and timm imports it) fails with `operator torchvision::nms does not exist`. Nothing compiled in
    it is needed here, so in exactly that case the missing operators are declared, without bodies,
    and the import is tried again. A matching pair never gets that far. See pytorch/vision issue
    9077.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _declare_torchvision_operators()
        import torchvision  # noqa: F401
    import timm

    return timm


def _declare_torchvision_operators() -> None:
    global _torchvision_schemas
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]  # the half-imported remains
    _torchvision_schemas = library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        _torchvision_schemas.define(
            f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
