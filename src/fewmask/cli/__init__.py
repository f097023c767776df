"""The commands. Each is one call into the package, with help and errors a person can act on."""

from fewmask.cli import data, training, using
from fewmask.cli.app import app, main

__all__ = ["app", "data", "main", "training", "using"]
