"""torch.compile, for the networks that a method calls as a whole."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fewmask.errors import UserError
from fewmask.methods import Method
from fewmask.parts.teacher import Teacher


def compile_networks(method: Method, device: torch.device) -> None:
    """Compiles the trained networks and the teachers, in place: names and weights stay as they are.

    Compilation itself happens at the first calls. What a method calls part by part (PseudoSeg's
    decoder) is left as it is.

    Args:
        method: before its networks are wrapped.
        device: that they run on.

    Raises:
        UserError: if what torch.compile needs is not installed.
    """
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UserError("training.compile=true needs the package triton on a GPU: install it.")
    if device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++").split()[0]) is None:
        raise UserError("training.compile=true needs a C++ compiler on a CPU: install g++.")
    networks = [getattr(method, name) for name in method.trains]
    networks += [module.network for module in method.modules() if isinstance(module, Teacher)]
    for network in networks:
        network.compile()


@contextmanager
def eagerly() -> Iterator[None]:
    """Runs networks uncompiled: images of many sizes would be compiled again and again."""
    with torch.compiler.set_stance("force_eager"):
        yield
