"""Freezing an encoder, or its first stages: weights and BatchNorm statistics stay fixed."""

from functools import partial
from typing import Any, Self

from torch import nn

from fewmask.errors import UserError


class Freezable(nn.Module):
    """A timm model as an encoder, whose first stages can be frozen."""

    name: str  # timm's
    backbone: Any

    def __init__(self) -> None:
        super().__init__()
        # Modules are kept by name, as BatchNorm over processes replaces some of them later.
        self.frozen: list[str] = []

    def freeze_up_to(self, last: str) -> None:
        """Freezes the backbone's modules up to and including `last`, named as timm does.

        Raises:
            UserError: if the backbone has no module of that name.
        """
        prefix, model = whole_model(self.backbone)
        self.frozen = [f"{prefix}{name}" for name in names_up_to(model, last)]
        for name in self.frozen:
            self.backbone.get_submodule(name).requires_grad_(False)
        # Position embeddings and class tokens belong to the stem.
        for parameter in model.parameters(recurse=False):
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Puts everything except the frozen stages into training mode."""
        super().train(mode)
        for name in self.frozen:
            self.backbone.get_submodule(name).eval()
        return self


def freeze_all(encoder: nn.Module) -> None:
    """Freezes a whole encoder of any class, for good.

    Without trainable weights a forward pass stores nothing for a backward pass, which saves its
    time and memory.
    """
    encoder.requires_grad_(False)
    # A partial, so that a deep copy of the encoder refers to the copy.
    encoder.train = partial(_stay_in_eval, encoder)  # type: ignore[method-assign]
    encoder.eval()


def _stay_in_eval(encoder: nn.Module, mode: bool = True) -> nn.Module:
    """Stands in for `train`, whatever the mode."""
    return type(encoder).train(encoder, False)


def whole_model(backbone: nn.Module) -> tuple[str, nn.Module]:
    """The timm model inside a wrapper that gives its feature maps, and its name there.

    Most wrappers take a model apart, and are the model themselves.
    """
    for name in ("model", "body"):
        inner = getattr(backbone, name, None)
        if isinstance(inner, nn.Module):
            return f"{name}.", inner
    return "", backbone


def names_up_to(backbone: nn.Module, last: str) -> list[str]:
    """Names of the modules up to and including `last`, in order of definition.

    Where all children of a module qualify, only the module itself is named.

    Raises:
        UserError: if there is no module of that name.
    """
    # timm lists a stage as layers_0 that its module tree calls layers.0, or MViT's as block.0.
    place = f"{last}.".replace("_", ".")
    if place.startswith("block.") and not hasattr(backbone, "block"):
        place = place.replace("block.", "stages.", 1)
    leaves = [(n, m) for n, m in backbone.named_modules() if not [*m.children()]]
    ends = [i for i, (n, _) in enumerate(leaves) if f"{n}.".replace("_", ".").startswith(place)]
    if not ends:
        raise UserError(
            "model.frozen_stages: timm does not tell where the stages of this encoder end. Freeze "
            "nothing (0), or all of it (all)."
        )
    before = {id(module) for _, module in leaves[: ends[-1] + 1]}

    def lies_before(module: nn.Module) -> bool:
        return all(id(m) in before for m in module.modules() if not [*m.children()])

    found = [name for name, module in backbone.named_modules() if lies_before(module)]
    return [name for name in found if not name or name.rpartition(".")[0] not in found]
