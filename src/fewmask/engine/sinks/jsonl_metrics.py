"""metrics.jsonl: the training metrics, one JSON object a line."""

import json
from collections.abc import Mapping
from pathlib import Path

from fewmask.atomic import parse_json, read_text
from fewmask.engine.sinks.rewriting import rewrite
from fewmask.engine.sinks.sink import Sink
from fewmask.run_folder.paths import RunPaths


class JsonlMetrics(Sink):
    """Appends one line for each logged step."""

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Drops lines of later steps, which the run takes again."""
        self.file = paths.metrics
        _drop_later_lines(self.file, first_step)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a line."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")


def _drop_later_lines(file: Path, first_step: int) -> None:
    if not file.exists():
        return
    kept = []
    for line in read_text(file, errors="replace").splitlines():
        try:
            if parse_json(line)["step"] <= first_step:
                kept.append(line)
        except (ValueError, TypeError, KeyError):
            continue  # A kill has cut the line off, or it is damaged.
    rewrite(file, "".join(line + "\n" for line in kept))
