"""The maps of timm's Xception behind whole blocks, as TensorFlow's DeepLab reads them."""

from typing import Any

from torch import nn

from fewmask.models.encoders.timm_import import import_timm

INSIDE = ".stack.act3"
"""Where timm reads the maps: in front of the last convolution of a block, with which it strides."""


def read_exit_block(backbone: Any) -> None:
    """Moves the last but one map behind the first block of the exit flow, in place.

    timm reads it inside that block, so that its stride is that of the middle flow. With an output
    stride of 16 or less, the block does not stride, and its output has more to say. PseudoSeg's
    attention compares pixels by it.

    Args:
        backbone: a feature pyramid of timm's Xception, with an output stride of 16 or less.
    """
    names = [info["module"] for info in backbone.feature_info.get_dicts()]
    names[-2] = names[-2].removesuffix(INSIDE)
    # timm calls a child of the pyramid blocks_0 that its list calls blocks.0.
    names = [name.replace(".", "_", 1) for name in names]
    for module in backbone.modules():
        module._forward_hooks.clear()  # timm's; they would keep maps that nobody reads
    backbone.hooks = import_timm().models.FeatureHooks(names, backbone.named_modules())


def is_xception(model: nn.Module) -> bool:
    """Whether a timm backbone is an Xception that is read as timm reads it."""
    info = getattr(model, "feature_info", None)
    return info is not None and info.module_name()[-2].endswith(INSIDE)
