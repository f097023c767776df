"""Feature pyramids from any timm backbone, with an output stride."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models.encoders import hiera
from fewmask.models.encoders.freezing import Freezable, whole_model
from fewmask.models.encoders.pretrained import Pretrained, load_pretrained
from fewmask.models.encoders.recomputing import recompute_blocks
from fewmask.models.encoders.sizes import UNITS, Sizes, Trial
from fewmask.models.encoders.timm_models import build, normalization_of
from fewmask.models.encoders.xception import is_xception, read_exit_block

DEFAULT_STRIDE = 16
"""Image pixels per pixel of the last stage, where nothing else is asked for."""


class TimmEncoder(Freezable):
    """The stages of a timm backbone, finest (stride 4) first.

    It takes images of any size, see `sizes`.

    Args:
        name: any timm model with `features_only`, such as `resnet50` or, as the papers use,
            `resnet101s` (deep 64-64-128 stem).
        output_stride: input pixels per pixel of the last stage: 32, 16 or 8 where timm can dilate
            it; None: 16 where it can, else the model's own.
        pretrained: where pretrained weights come from; False starts from random weights.
        multi_grid: factors on the dilation of the last stage's blocks, (1, 2, 4) in the papers;
            bottleneck ResNets only.
        in_channels: bands of an image. Pretrained weights of the first layer, which are made for
            three bands, are repeated over the bands and scaled down accordingly.
        drop_path: probability of skipping the last block in training; earlier ones are skipped
            less.
        ceil_pool: whether a ResNet's max pooling rounds sizes up.

    Raises:
        UserError: for an unknown name, an impossible stride, an option that the model does not
            have, a model of one image size, or unavailable weights.
    """

    def __init__(
        self,
        name: str,
        output_stride: int | None = 32,
        pretrained: Pretrained = False,
        multi_grid: tuple[int, ...] | None = None,
        in_channels: int = 3,
        drop_path: float = 0.0,
        ceil_pool: bool = False,
    ):
        super().__init__()
        options = {"in_chans": in_channels} | ({"drop_path_rate": drop_path} if drop_path else {})
        self.name = name
        self.backbone, options = _create_backbone(name, output_stride, options)
        _speed_up(self.backbone)
        if multi_grid is not None:
            _dilate_blocks(self.backbone, multi_grid)
        if ceil_pool:
            _pool_up(self.backbone, name)
        info = self.backbone.feature_info
        if is_xception(self.backbone) and info.reduction()[-1] <= 16:
            read_exit_block(self.backbone)
        # No decoder here has a use for stride 2, which would cost the most memory.
        self.stages = [i for i, stride in enumerate(info.reduction()) if stride >= 4]
        self.channels = [info.channels()[i] for i in self.stages]
        self.strides = [info.reduction()[i] for i in self.stages]
        self.is_hiera = type(whole_model(self.backbone)[1]).__name__ == "Hiera"
        if self.is_hiera:
            hiera.free_size(self.backbone.model)
        self.normalization = normalization_of(self.backbone, in_channels)
        trial = Trial(self.backbone, self._maps, self.channels, self.strides, in_channels)
        self.sizes = sizes_of(trial, name, (*UNITS, self.backbone.pretrained_cfg["input_size"][-1]))
        load_pretrained(self.backbone, name, pretrained, options)

    def freeze(self, stages: int) -> None:
        """Freezes the stem and the first stages: no gradients, BatchNorm in eval mode.

        Args:
            stages: how many, from the finest.

        Raises:
            UserError: if the encoder has fewer stages.
        """
        require_stages(stages, len(self.stages))
        if stages:
            self.freeze_up_to(self.backbone.feature_info.module_name()[self.stages[stages - 1]])

    def checkpoint_blocks(self) -> None:
        """Trades time for memory, see `recomputing`."""
        recompute_blocks(self.backbone)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Turns images [B, C, H, W] into feature maps, finest first."""
        return self.sizes.cut(self._maps(self.sizes.fit(image)), image, self.strides)

    def _maps(self, image: Tensor) -> list[Tensor]:
        """The feature maps [B, C_i, h_i, w_i] of images that have a size the backbone takes."""
        if self.is_hiera:
            hiera.set_size(self.backbone.model, (image.shape[-2], image.shape[-1]))
        maps = self.backbone(image)
        chosen: list[Tensor] = [maps[i] for i in self.stages]
        if getattr(self.backbone, "output_fmt", "NCHW") == "NHWC":
            return [x.permute(0, 3, 1, 2) for x in chosen]
        return chosen


def require_stages(wanted: int, count: int) -> None:
    """Refuses to freeze more stages than an encoder has."""
    if wanted > count:
        raise UserError(f"model.frozen_stages={wanted}: this encoder has {count} stages.")


def sizes_of(trial: Trial, name: str, units: Sequence[int]) -> Sizes:
    """The image sizes that a timm model takes.

    Raises:
        UserError: if it takes only the one it was made for.
    """
    try:
        return trial.sizes(units)
    except ValueError as error:
        raise UserError(
            f"model.encoder={name}: this timm model does not take images of any size, which a "
            "segmentation network must. Choose another, such as resnet50, convnext_tiny, "
            "swin_tiny_patch4_window7_224 or vit_small_patch14_dinov2."
        ) from error


def _create_backbone(
    name: str, output_stride: int | None, options: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """A timm model that gives feature maps, and the options it was built with."""
    if output_stride not in (None, 8, 16, 32):
        raise UserError(
            f"model.output_stride={output_stride}: expected 32, 16 or 8, or null for 16 where the "
            "encoder can be dilated."
        )
    # Models without dilation do not know the option.
    strides = [{"output_stride": output_stride or DEFAULT_STRIDE}, {}]
    if output_stride is not None:
        strides = strides[1:] if output_stride == 32 else strides[:1]
    for stride in strides:
        try:
            return build(name, features_only=True, **options, **stride)
        except UserError:
            raise
        except Exception as error:  # timm's builders raise a handful of kinds
            reason = str(error) or "its layers cannot be dilated"
    asked = "" if output_stride is None else f" with model.output_stride={output_stride}"
    raise UserError(
        f"model.encoder={name}{asked}: timm cannot build it as a feature pyramid ({reason}). Set "
        "model.output_stride=null, or take another encoder, such as a ResNet."
    )


def _pool_up(backbone: nn.Module, name: str) -> None:
    """Lets the max pooling of a ResNet's stem round sizes up."""
    pool = getattr(backbone, "maxpool", None)
    if not isinstance(pool, nn.MaxPool2d):
        raise UserError(
            f"model.ceil_pool=true: {name} has no max pooling in its stem, as resnet50 and "
            "resnet101s have. Set model.ceil_pool=false."
        )
    pool.ceil_mode = True


def _speed_up(backbone: nn.Module) -> None:
    # It imports timm, which takes seconds.
    from fewmask.models.encoders.depthwise import speed_up_depthwise

    speed_up_depthwise(backbone)


def _dilate_blocks(backbone: nn.Module, factors: tuple[int, ...]) -> None:
    """Multi-grid: block i of the last stage gets `factors[i]` times the stage's dilation.

    Source: Chen et al., Rethinking Atrous Convolution, 2017, section 3.2.1.
    """
    blocks = list(getattr(backbone, "layer4", []))
    if len(blocks) != len(factors) or not all(hasattr(block, "conv3") for block in blocks):
        raise UserError(
            f"model.multi_grid={list(factors)} needs a ResNet whose last stage has {len(factors)} "
            "bottleneck blocks, such as resnet50 or resnet101s. For others, set "
            "model.multi_grid=null."
        )
    # timm's first block still has the dilation of the stage before, so the last one is read.
    dilation = blocks[-1].conv2.dilation[0]
    for block, factor in zip(blocks, factors, strict=True):
        block.conv2.dilation = block.conv2.padding = (factor * dilation, factor * dilation)
