"""What was measured, where and how: one JSON file per benchmark and machine."""

import json
import math
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from fewmask import atomic, version
from fewmask.engine.devices import processor

Value = tuple[float, str]
"""A number and its unit."""


class Figure(NamedTuple):
    """One measured number."""

    subject: str
    """What was measured. A subject becomes a row of a table."""
    quantity: str
    """Which of its properties. A quantity becomes a column."""
    value: float
    unit: str
    """Empty for plain counts."""


@dataclass(frozen=True)
class Result:
    """All figures of one command on one machine."""

    name: str
    """The benchmark or experiment."""
    variant: str
    """The options that differ from the defaults, so that `--crop 513` gets a file of its own."""
    command: str
    """Repeats the measurement. Paths are replaced by the names of their options."""
    date: str
    """YYYY-MM-DD, or YYYY-MM where the day was not recorded."""
    rounds: int | None
    """How often each side was measured, or None if the benchmark has no rounds."""
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: Mapping[str, str | None]
    """None where a version was not recorded."""
    figures: tuple[Figure, ...]

    @property
    def file_name(self) -> str:
        """One name per benchmark, variant and machine: a new measurement replaces the old one."""
        return f"{slug(self.name, self.variant)}.{self.machine_slug}.json"

    @property
    def machine_slug(self) -> str:
        """A short name of the machine, such as `amd-epyc-2-threads`."""
        return slug(*_parts(self.machine))

    def value(self, subject: str, quantity: str) -> float:
        """One of the figures."""
        found = [f.value for f in self.figures if f[:2] == (subject, quantity)]
        if len(found) != 1:
            raise KeyError(f"{self.file_name} has {len(found)} figures for {subject}, {quantity}.")
        return found[0]

    def write(self, folder: Path) -> Path:
        """Writes the JSON file, one figure per line."""
        fields = asdict(self)
        del fields["figures"]
        lines = [json.dumps(figure._asdict(), ensure_ascii=False) for figure in self.figures]
        head = json.dumps(fields, indent=2, ensure_ascii=False).removesuffix("\n}")
        figures = ",\n    ".join(lines)
        file = folder / self.file_name
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, f'{head},\n  "figures": [\n    {figures}\n  ]\n}}\n')
        return file


def read(file: Path) -> Result:
    """Reads a JSON file.

    Raises:
        ValueError: if it is not a result, or its name does not match its content.
    """
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        figures = tuple(Figure(**figure) for figure in fields.pop("figures"))
        result = Result(**fields, figures=figures)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is not a result of a benchmark: {error}.") from error
    if result.file_name != file.name:
        raise ValueError(f"{file} should be named {result.file_name}, after its content.")
    return result


def figures(subject: str, **quantities: Value) -> list[Figure]:
    """The figures of one subject.

    Example:
        figures("whole step", ours=(5075.2, "ms"), peak_memory=(2.7, "GiB"))
    """
    return [
        Figure(subject, quantity.replace("_", " "), rounded(value), unit)
        for quantity, (value, unit) in quantities.items()
    ]


def rounded(value: float) -> float:
    """Three significant digits, or all digits of an integer: timings know no more."""
    if isinstance(value, int) or abs(value) >= 100:
        return round(value)
    return 0.0 if value == 0 else round(value, 2 - math.floor(math.log10(abs(value))))


def slug(*words: str) -> str:
    """Words for a file name: lower case, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def machine() -> dict[str, Any]:
    """Processor, threads, GPU and system, without the name of the host."""
    return {
        "processor": processor(),
        "cpu_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str | None]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "fewmask": version.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def described(machine: Mapping[str, Any], versions: Mapping[str, str | None]) -> str:
    """Machine and versions in one line."""
    known = [f"{name} {value}" for name, value in versions.items() if value is not None]
    return ", ".join([*_parts(machine), *filter(None, [machine["system"]]), *known])


def _parts(machine: Mapping[str, Any]) -> list[str]:
    """What timings depend on most. Threads and GPU may be None: not recorded, or not there."""
    threads = machine["cpu_threads"]
    count = "" if threads is None else f"{threads} thread{'s' * (threads != 1)}"
    return [word for word in (machine["processor"], count, machine["gpu"]) if word]
