"""Layer-wise learning-rate decay: the closer a layer is to the image, the less it changes."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from torch import nn

from fewmask.errors import UserError
from fewmask.models.encoders.freezing import Freezable, whole_model
from fewmask.models.encoders.timm_import import import_timm
from fewmask.models.encoders.timm_models import sketch

CHECKPOINTED = "_checkpoint_wrapped_module."
"""What torch puts into the names of parameters whose block is computed again."""


class Group(NamedTuple):
    """Parameters of one layer that are treated alike."""

    parameters: list[nn.Parameter]
    scale: float  # on the learning rate
    weight_decay: float


def decayed_groups(encoder: nn.Module, layer_decay: float, weight_decay: float) -> list[Group]:
    """The trainable parameters of an encoder, from its last layer to its first.

    Each layer learns `layer_decay` times as fast as the one after it. Biases, norms, position
    embeddings and tokens have no weight decay, as in BEiT, DINOv2 and EoMT.

    Args:
        encoder: of timm.
        layer_decay: factor from layer to layer, in (0, 1].
        weight_decay: of the other weights.

    Raises:
        UserError: if timm does not tell which of the encoder's parameters belong to which layer.
    """
    if not isinstance(encoder, Freezable) or (layers := _layers(encoder.name)) is None:
        raise UserError(
            f"training.layer_decay={layer_decay}: only some encoders of timm tell the order of "
            "their layers, and this one does not. Leave the option out."
        )
    import_timm()
    groups = import_module("timm.optim").param_groups_layer_decay(
        _Named(encoder, layers),
        weight_decay=weight_decay,
        layer_decay=layer_decay,
        no_weight_decay_list=layers.without_decay,
    )
    return [Group(g["params"], g["lr_scale"], g["weight_decay"]) for g in reversed(groups)]


class _Layers(NamedTuple):
    """What timm knows of a model's layers."""

    names: dict[str, str]  # of the parameters, by their names with _ in place of dots
    matcher: Any  # tells the layer of a name
    without_decay: set[str]


def _layers(name: str) -> _Layers | None:
    """The layers of a timm model; None if timm does not tell them."""
    model = sketch(name)
    if not hasattr(model, "group_matcher"):
        return None
    names = {flat(key): key for key, _ in model.named_parameters()}
    without_decay = {*model.no_weight_decay()} if hasattr(model, "no_weight_decay") else set()
    return _Layers(names, model.group_matcher(coarse=False), without_decay)


class _Named:
    """An encoder's parameters under the names of the model that it was made of.

    A feature pyramid has taken that model apart, and calls layers.0 layers_0.
    """

    def __init__(self, encoder: Freezable, layers: _Layers):
        self.encoder, self.layers = encoder, layers

    def group_matcher(self, coarse: bool) -> Any:
        """What tells the layer of a name, for timm."""
        return self.layers.matcher

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters."""
        _, model = whole_model(self.encoder.backbone)
        for name, parameter in model.named_parameters():
            name = name.replace(CHECKPOINTED, "")
            yield self.layers.names.get(flat(name), name), parameter


def flat(name: str) -> str:
    """A name that does not tell layers.0 and layers_0 apart."""
    return name.replace(".", "_")
