"""Converts many files once and in parallel. Finished files are skipped, none is left half done."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from fewmask import atomic

Job = TypeVar("Job")


def convert_all(convert: Callable[[Job], None], jobs: Sequence[Job], title: str) -> None:
    """Runs a conversion for every job, on all cores, with a progress bar.

    Args:
        convert: a module-level function that does one job, and returns at once if it is done.
        jobs: plain values, which are sent to other processes.
        title: the text of the bar.
    """
    console = Console(stderr=True)
    # Chunks save messages between processes; four per core keep all cores busy to the end.
    chunk = max(1, min(64, len(jobs) // (4 * (os.cpu_count() or 1))))
    with ProcessPoolExecutor(initializer=_end_with_parent, initargs=(os.getpid(),)) as executor:
        done = executor.map(convert, jobs, chunksize=chunk)
        bar = track(
            done, title, len(jobs), console=console, transient=True, disable=not console.is_terminal
        )
        for _ in bar:
            pass


def _end_with_parent(parent: int) -> None:
    """Ends this worker when its parent was killed. Otherwise it would wait forever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def save_mask(mask: np.ndarray, file: Path) -> None:
    """Writes labels uint8 or uint16 [H, W] as a gray PNG, all of it or nothing."""
    content = BytesIO()
    Image.fromarray(mask).save(content, format="PNG")
    atomic.write_bytes(file, content.getvalue())
