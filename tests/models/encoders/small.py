"""A small member of each family of timm encoders, registered with timm under its own name."""

import copy
from typing import Any

from fewmask.models.encoders.timm_import import import_timm

THIN = {"embed_dim": 32, "depth": 4, "num_heads": 2}
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "small_deep_stem": ("resnet50s", {"layers": (1, 1, 1, 1), "channels": (8, 16, 24, 32)}),
    "small_swin": (
        "swin_tiny_patch4_window7_224",
        {"embed_dim": 16, "depths": (2, 1, 1, 1), "num_heads": (1, 2, 2, 4)},
    ),
    "small_swinv2": (
        "swinv2_tiny_window8_256",
        {"embed_dim": 16, "depths": (2, 1, 1, 1), "num_heads": (1, 2, 2, 4)},
    ),
    "small_hiera": ("hiera_tiny_224", {"embed_dim": 16, "stages": (1, 1, 2, 1)}),
    "small_vit": ("vit_tiny_patch16_224", THIN),
    "small_dinov2": ("vit_small_patch14_dinov2", THIN),
    "small_dinov2_registers": ("vit_small_patch14_reg4_dinov2", THIN),
    "small_dinov3": ("vit_small_patch16_dinov3", THIN),
    "small_dinov3_convnext": (
        "convnext_tiny.dinov3_lvd1689m",
        {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)},
    ),
    "small_pvt": (
        "pvt_v2_b0",
        {"depths": (1, 1, 1, 1), "embed_dims": (8, 16, 16, 32), "num_heads": (1, 1, 2, 4)},
    ),
    "small_xception": (
        "xception65",
        {
            "block_cfg": [
                {"in_chs": 64, "out_chs": 16, "stride": 2},
                {"in_chs": 16, "out_chs": 24, "stride": 2},
                {"in_chs": 24, "out_chs": 32, "stride": 2},
                {"in_chs": 32, "out_chs": 32, "stride": 1},
                {"in_chs": 32, "out_chs": 48, "stride": 2},
                {"in_chs": 48, "out_chs": (48, 48, 64), "stride": 1, "no_skip": True},
            ]
        },
    ),
}
"""Name: the timm model, and what makes it small."""

FAMILIES = (
    *SMALL,
    "test_resnet",
    "test_convnext",
    "test_maxvit",
    "test_vit",
    "tf_efficientnet_lite0",
    "mobilenetv3_small_050",
    "regnety_002",
    "edgenext_xx_small",
    "mvitv2_tiny",
)


def register() -> None:
    """Makes timm know the small models by their names."""
    timm = import_timm()
    for name, (model, sizes) in SMALL.items():
        if not timm.is_model(name):
            timm.models.register_model(_entry_point(timm, name, model, sizes))


def _entry_point(timm: Any, name: str, model: str, sizes: dict[str, Any]) -> Any:
    def create(pretrained: bool = False, **options: Any) -> Any:
        # timm looks up the configuration of the small name, which has none.
        options = {k: v for k, v in options.items() if not k.startswith("pretrained_cfg")}
        return timm.create_model(model, pretrained, **copy.deepcopy(sizes), **options)

    create.__name__ = name
    return create
