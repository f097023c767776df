"""Chooses the encoder, and where its weights come from, by device and by what can be had."""

from pathlib import Path
from typing import NamedTuple

from fewmask.errors import UserError
from fewmask.models.encoders import hub_weights
from fewmask.models.encoders.pretrained import LIGHT, Pretrained, find_source, no_source
from fewmask.models.encoders.weights import require_file

AUTO = "auto"
"""The encoder that is chosen here."""
LARGE = "resnet50"
"""The encoder for GPUs."""


class Choice(NamedTuple):
    """An encoder, where its weights come from, and how to say so."""

    encoder: str
    pretrained: Pretrained
    notes: list[str]


def choose_encoder(
    encoder: str, pretrained: Pretrained, accelerator: str, may_fall_back: bool = True
) -> Choice:
    """Settles the encoder and the origin of its weights. An encoder with a name is never replaced.

    Args:
        encoder: a name, or auto.
        pretrained: what the user wants.
        accelerator: what the network is trained on: cpu, cuda or mps.
        may_fall_back: whether auto may become the light encoder for want of other weights.

    Raises:
        UserError: if pretrained weights are wanted and cannot be had.
    """
    if isinstance(pretrained, Path):
        require_file(pretrained)
    if encoder == AUTO:
        return _choose_any(pretrained, accelerator, may_fall_back)
    if not pretrained:
        return Choice(encoder, pretrained, [])
    if isinstance(pretrained, Path):
        return Choice(encoder, pretrained, [f"Encoder {encoder}: weights from {pretrained}."])
    if ":" in encoder:
        note = f"Encoder {encoder} is your own class: it starts from the weights it gives itself."
        return Choice(encoder, False, [note])
    source = find_source(encoder, pretrained)
    if source is None:
        raise no_source(encoder, pretrained)
    notes = [f"Encoder {encoder}: {source.description}.", source.warning]
    return Choice(encoder, source.origin, [note for note in notes if note])


def _choose_any(pretrained: Pretrained, accelerator: str, may_fall_back: bool) -> Choice:
    name, why = LARGE, "because it trains on a GPU"
    if accelerator == "cpu":
        name, why = LIGHT, "a light one because it trains on a CPU"
    if isinstance(pretrained, Path):
        raise UserError(
            f"model.pretrained={pretrained}: which encoder was this file made for? Set it: "
            "model.encoder=NAME."
        )
    can_fall_back = may_fall_back and accelerator != "cpu"
    if pretrained and can_fall_back and find_source(name, pretrained) is None:
        obstacle = hub_weights.ask_hub(name).obstacle
        name, why = LIGHT, f"because the weights of {name} cannot be had here: {obstacle}"
    choice = choose_encoder(name, pretrained, accelerator)
    note = f"The encoder is {name}, {why}. Another one: model.encoder=NAME."
    return choice._replace(notes=[note, *choice.notes])
