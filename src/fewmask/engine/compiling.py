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
    """Compiles the trained networks and the teachers, in place; their names and weights stay.

    The parts of a network (encoder, decoder ...) are compiled too, for methods that call them one
    by one. Compilation itself happens at the first calls.

    Args:
        method: before the minimizer sets up its networks.
        device: that the networks run on.

    Raises:
        UserError: if a package or compiler that torch.compile needs is not installed.
    """
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UserError("training.compile=true needs the package triton on a GPU: install it.")
    if device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++").split()[0]) is None:
        raise UserError("training.compile=true needs a C++ compiler on a CPU: install g++.")
    networks = [getattr(method, name) for names in method.trained_together() for name in names]
    networks += [module.network for module in method.modules() if isinstance(module, Teacher)]
    for network in networks:
        for part in (network, *network.children()):
            part.compile()


@contextmanager
def eagerly() -> Iterator[None]:
    """Runs networks uncompiled inside the context: each new image size would compile them again."""
    with torch.compiler.set_stance("force_eager"):
        yield
