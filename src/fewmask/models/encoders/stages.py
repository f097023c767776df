"""What a decoder knows of an encoder."""

from typing import NamedTuple


class Stages(NamedTuple):
    """The feature maps that an encoder gives, finest first."""

    channels: tuple[int, ...]  # of each map
    strides: tuple[int, ...]  # input pixels per pixel of each map
