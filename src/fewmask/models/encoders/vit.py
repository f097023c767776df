"""Plain vision transformers, such as DINOv2 and DINOv3, as encoders with four levels.

A plain transformer works at one stride from its first block to its last. Its levels are the outputs
of four blocks, each through the model's final norm, without class and register tokens, as in
UniMatch V2 (Yang et al., 2024) and DPT on DINOv2.
"""

from torch import Tensor

from fewmask.errors import UserError
from fewmask.models.encoders.freezing import Freezable
from fewmask.models.encoders.pretrained import Pretrained, load_pretrained
from fewmask.models.encoders.pyramid import require_stages, sizes_of
from fewmask.models.encoders.recomputing import recompute_blocks
from fewmask.models.encoders.sizes import Trial
from fewmask.models.encoders.timm_models import build, normalization_of

LEVELS = {24: (4, 11, 17, 23)}
"""Blocks whose outputs are the levels, by number of blocks, where it is not every quarter."""


class ViTEncoder(Freezable):
    """Four levels of a plain vision transformer of timm, all of one stride.

    It takes images of any size: they are resized to the nearest multiple of the patch, and
    positions are resized to the number of patches.

    Args:
        name: a timm model for which `is_plain` holds, such as `vit_small_patch14_dinov2`.
        pretrained: where pretrained weights come from; False starts from random weights.
        in_channels: bands of an image.
        drop_path: probability of skipping the last block in training; earlier ones are skipped
            less.

    Raises:
        UserError: for an unknown name, a model of one image size, or unavailable weights.
    """

    def __init__(
        self,
        name: str,
        pretrained: Pretrained = False,
        in_channels: int = 3,
        drop_path: float = 0.0,
    ):
        super().__init__()
        options = {"in_chans": in_channels} | ({"drop_path_rate": drop_path} if drop_path else {})
        self.name = name
        self.backbone, options = build(name, num_classes=0, **options)
        self.levels = levels(len(self.backbone.feature_info))
        # A head that nobody reads would have weights without gradients.
        self.backbone.prune_intermediate_layers([*self.levels], prune_norm=False, prune_head=True)
        infos = [self.backbone.feature_info[i] for i in self.levels]
        self.channels = [info.get("num_chs_norm", info["num_chs"]) for info in infos]
        self.strides = [info["reduction"] for info in infos]
        self.patch = self.strides[-1]
        self.normalization = normalization_of(self.backbone, in_channels)
        trial = Trial(self.backbone, self._maps, self.channels, self.strides, in_channels)
        self.sizes = sizes_of(trial, name, (self.patch,))
        load_pretrained(self.backbone, name, pretrained, options)

    def freeze(self, stages: int) -> None:
        """Freezes the patch embedding and the blocks up to a level: no gradients, no dropout.

        Args:
            stages: how many levels, from the first.

        Raises:
            UserError: if there are fewer levels.
        """
        require_stages(stages, len(self.levels))
        if stages:
            self.freeze_up_to(self.backbone.feature_info[self.levels[stages - 1]]["module"])

    def checkpoint_blocks(self) -> None:
        """Trades time for memory, see `recomputing`."""
        recompute_blocks(self.backbone)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Turns images [B, C, H, W] into four maps [B, D, h, w], h = H / patch, rounded."""
        return self._maps(self.sizes.fit(image))

    def _maps(self, image: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.backbone.forward_intermediates(
            image, indices=[*self.levels], norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return maps


def levels(depth: int) -> tuple[int, ...]:
    """The blocks whose outputs are the levels: every quarter of `depth`, ending at the last.

    Raises:
        UserError: with fewer than four blocks.
    """
    if depth < 4:
        raise UserError(f"A vision transformer as encoder needs 4 blocks or more, not {depth}.")
    return LEVELS.get(depth, tuple(-(-depth * quarter // 4) - 1 for quarter in (1, 2, 3, 4)))
