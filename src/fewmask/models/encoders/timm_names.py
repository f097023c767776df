"""Checks the name of a timm model, and finds what timm knows of its pretrained weights."""

from typing import Any

from fewmask.errors import UserError, did_you_mean
from fewmask.models.encoders.timm_import import import_timm


def require_timm_model(name: str) -> None:
    """Makes sure that timm has a model of this name; a tag of weights may follow after a dot.

    Raises:
        UserError: if there is no such model, or no weights of this tag.
    """
    timm, model = import_timm(), name.split(".")[0]
    if not timm.is_model(model):
        raise UserError(
            f"model.encoder={name}: timm has no such model. "
            f"{did_you_mean(name, timm.list_models())} All names: timm.list_models()."
        )
    if name != model:
        weights_of(name)


def weights_of(name: str) -> Any:
    """What timm knows of a model's pretrained weights, as its `PretrainedCfg`.

    Raises:
        UserError: if there is no such model, or no weights of this tag.
    """
    timm, model = import_timm(), name.split(".")[0]
    require_timm_model(model)
    try:
        return timm.models.get_pretrained_cfg(name)
    except RuntimeError:  # an unknown tag
        raise UserError(
            f"model.encoder={name}: timm has no such weights of {model}. "
            f"{did_you_mean(name, timm.list_pretrained(f'{model}.*'))}"
        ) from None
