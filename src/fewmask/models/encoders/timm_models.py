"""timm models by name, built for images of any size."""

from functools import cache
from typing import Any

import torch

from fewmask.batch import Normalization
from fewmask.errors import UserError
from fewmask.models.encoders.timm_import import import_timm
from fewmask.models.encoders.timm_names import require_timm_model

ANY_SIZE: tuple[dict[str, bool], ...] = ({"strict_img_size": False}, {"dynamic_img_size": True}, {})
"""What timm models call the option to take any image size; most need none. In this order, because
Swin of older versions of timm takes the second one, but ignores it."""


def build(name: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    """A timm model with random weights, and the options it was built with.

    Args:
        name: of the model.
        options: for timm.

    Raises:
        UserError: for a name that timm does not know, and for drop path in a model without it.
        Exception: of any kind, if timm cannot build it with these options.
    """
    timm = import_timm()
    require_timm_model(name)
    for any_size in ANY_SIZE:
        wanted = {**options, **any_size}
        try:
            return timm.create_model(name, **wanted), wanted
        except TypeError as error:
            if any(option in str(error) for option in any_size):
                continue
            if "drop_path_rate" in str(error):
                raise UserError(
                    f"model.drop_path={options['drop_path_rate']}: timm's {name} has no drop path. "
                    "Leave the option out."
                ) from None
            raise
    raise AssertionError("the last try names no option")


@cache
def is_plain(name: str) -> bool:
    """Whether a timm model is a plain vision transformer: all of its blocks work at one stride."""
    require_timm_model(name)
    try:
        pyramid = sketch(name, features_only=True)
    except Exception:  # timm has no feature pyramid of it
        return False
    strides = pyramid.feature_info.reduction()
    return hasattr(pyramid, "model") and len(strides) > 1 and len({*strides}) == 1


def sketch(name: str, **options: Any) -> Any:
    """A timm model without storage, for inspection: it takes little time and no memory."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return import_timm().create_model(name, **options)


def normalization_of(backbone: Any, bands: int) -> Normalization:
    """What the pretrained weights of a timm model expect of images."""
    config = backbone.pretrained_cfg
    return Normalization(tuple(config["mean"]), tuple(config["std"])).for_bands(bands)
