"""Runs the program as a user does, with options that make a run on photos take seconds."""

import contextlib
import io
import sys
import unittest.mock
from pathlib import Path

import pytest

from fewmask import cli

TINY_PHOTOS = (
    "loader.crop=32", "loader.labeled_batch=2", "loader.unlabeled_batch=2",
    "model.encoder=test_resnet", "model.pretrained=false", "model.decoder.channels=8",
    "machine.workers=0", "training.steps=3", "training.precision=fp32", "machine.accelerator=cpu",
)  # fmt: skip
"""Overrides that make a run on photos take seconds."""

SMALL = (
    "model.pretrained=false", "training.accumulate=1", "loader.labeled_batch=2",
    "loader.unlabeled_batch=2", "loader.crop=65", "machine.workers=0", "machine.accelerator=cpu",
    "training.precision=fp32",
)  # fmt: skip
"""Overrides that make the recipes of the papers small enough for a CPU."""


def fewmask(*words: str | Path, cwd: Path | None = None, code: int = 0) -> str:
    """Runs a command, checks its exit code, gives back everything it printed."""
    printed, argv = io.StringIO(), ["fewmask", *map(str, words)]
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.chdir(cwd or Path()),
        unittest.mock.patch.object(sys, "argv", argv),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
        sys.exit(0)
    assert (ended.value.code or 0) == code, printed.getvalue()
    return printed.getvalue()
