"""Feature pyramids from any timm backbone, with an output stride."""

from functools import partial
from typing import Any, Self

from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models.encoders.freezing import names_up_to
from fewmask.models.encoders.pretrained import Pretrained, load_pretrained
from fewmask.models.encoders.recomputing import recompute_blocks
from fewmask.models.encoders.timm_import import import_timm
from fewmask.models.encoders.timm_names import require_timm_model


class TimmEncoder(nn.Module):
    """The stages of a timm backbone, finest (stride 4) first.

    Args:
        name: any timm model with `features_only`, such as `resnet50` or, as the papers use,
            `resnet101s` (deep 64-64-128 stem).
        output_stride: input pixels per pixel of the last stage: 32, 16 or 8 where timm can dilate
            it.
        pretrained: where pretrained weights come from; False starts from random weights.
        multi_grid: factors on the dilation of the last stage's blocks, (1, 2, 4) in the papers;
            bottleneck ResNets only.
        in_channels: bands of an image. Pretrained weights of the first layer, which are made for
            three bands, are repeated over the bands and scaled down accordingly.

    Raises:
        UserError: for an unknown name, an impossible stride, or unavailable weights.
    """

    def __init__(
        self,
        name: str,
        output_stride: int = 32,
        pretrained: Pretrained = False,
        multi_grid: tuple[int, ...] | None = None,
        in_channels: int = 3,
    ):
        super().__init__()
        # Modules are kept by name, as BatchNorm over processes replaces some of them later.
        self.frozen: list[str] = []
        self.backbone = _create_backbone(name, output_stride, pretrained, in_channels)
        if multi_grid is not None:
            _dilate_blocks(self.backbone, multi_grid)
        info = self.backbone.feature_info
        # No decoder here has a use for stride 2, which would cost the most memory.
        self.stages = [i for i, stride in enumerate(info.reduction()) if stride >= 4]
        self.channels = [info.channels()[i] for i in self.stages]
        self.strides = [info.reduction()[i] for i in self.stages]

    def freeze(self, stages: int) -> None:
        """Freezes the stem and the first stages: no gradients, BatchNorm in eval mode.

        Args:
            stages: how many, from the finest.

        Raises:
            UserError: if the encoder has fewer stages.
        """
        if stages > len(self.stages):
            raise UserError(
                f"model.frozen_stages={stages}: this encoder has {len(self.stages)} stages."
            )
        if stages:
            last = self.backbone.feature_info.module_name()[self.stages[stages - 1]]
            self.frozen = names_up_to(self.backbone, last)
        for name in self.frozen:
            self.backbone.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Puts everything except the frozen stages into training mode."""
        super().train(mode)
        for name in self.frozen:
            self.backbone.get_submodule(name).eval()
        return self

    def checkpoint_blocks(self) -> None:
        """Trades time for memory, see `recomputing`."""
        recompute_blocks(self.backbone)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Turns images [B, C, H, W] into feature maps, finest first."""
        maps: list[Tensor] = self.backbone(image)
        return [maps[i] for i in self.stages]


def _create_backbone(
    name: str, output_stride: int, pretrained: Pretrained, in_channels: int
) -> Any:
    """A timm model that gives feature maps."""
    timm = import_timm()
    require_timm_model(name)
    shape = {"in_chans": in_channels}
    if output_stride != 32:  # models without dilation do not know the option
        shape["output_stride"] = output_stride
    create = partial(timm.create_model, name, features_only=True, **shape)
    try:
        backbone = create()
    except (TypeError, RuntimeError, AssertionError) as error:  # timm's builders raise all three
        raise UserError(
            f"model.encoder={name} with model.output_stride={output_stride}: timm cannot build it "
            f"as a feature pyramid ({error}). Try output_stride=32, or a ResNet."
        ) from None
    load_pretrained(backbone, name, pretrained, create)
    return backbone


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
    # timm's first block still has the dilation of the stage before, so the last one is read.
    dilation = blocks[-1].conv2.dilation[0]
    for block, factor in zip(blocks, factors, strict=True):
        block.conv2.dilation = block.conv2.padding = (factor * dilation, factor * dilation)
