"""The commands. Each one is a single call into the package, with its help text."""

from fewmask.cli import comparing, data, exporting, scoring, training, using
from fewmask.cli.app import app, main

__all__ = ["app", "comparing", "data", "exporting", "main", "scoring", "training", "using"]
