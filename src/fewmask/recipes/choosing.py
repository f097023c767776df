"""Chooses what a recipe leaves to the machine: the encoder, and where its weights come from."""

from fewmask.engine.devices import choose_accelerator
from fewmask.engine.launch import is_started_by_others
from fewmask.models import ModelConfig
from fewmask.models.encoders.choosing import AUTO, choose_encoder
from fewmask.recipes.recipe import Recipe


def choose_model(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """Names the encoder and the origin of its weights, by device and by what can be had.

    Nothing is downloaded yet. A recipe in which both are named stays as it is.

    Returns:
        The recipe, and one sentence for each decision.

    Raises:
        UserError: if pretrained weights are wanted and cannot be had.
    """
    machine = recipe.machine.model_copy(update={"devices": 1})  # how many is checked at the launch
    model = recipe.model
    # Processes that something else has started ask the hub one by one, and must agree.
    chosen = choose_encoder(
        model.encoder,
        model.pretrained,
        choose_accelerator(machine),
        may_fall_back=not is_started_by_others(),
    )
    return with_model(recipe, chosen.encoder, chosen.pretrained), chosen.notes


def names_encoder(recipe: Recipe) -> bool:
    """Whether a recipe names its encoder, and leaves no choice."""
    return recipe.model.encoder != AUTO


def with_model(recipe: Recipe, encoder: str, pretrained: object) -> Recipe:
    """The recipe with an encoder and an origin of its weights."""
    update = {"encoder": encoder, "pretrained": pretrained}
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=update)})


def as_before(recipe: Recipe, before: ModelConfig) -> Recipe:
    """The recipe with the choices of an earlier run where it leaves them open."""
    encoder = recipe.model.encoder if names_encoder(recipe) else before.encoder
    pretrained = recipe.model.pretrained
    # Random weights are never chosen for a user who wants pretrained ones. An encoder of the user's
    # class loads its weights itself, so its run says false.
    if pretrained == "auto" and (before.pretrained or ":" in encoder):
        pretrained = before.pretrained
    return with_model(recipe, encoder, pretrained)
