"""Where a run writes what it logs: one format, one file."""

from fewmask.engine.sinks.sink import Sink, Table

__all__ = ["SINKS", "Sink", "Table"]

SINKS = {"tensorboard": "fewmask.engine.sinks.tensorboard:TensorBoard"}
"""Plain word to import path; your own sink is given as package.module:Class."""
