"""What a run says and writes: progress line, results.csv, metrics.jsonl, TensorBoard."""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from fewmask import atomic
from fewmask.batch import StepReport, send
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores
from fewmask.parts import processes
from fewmask.run_folder.paths import RunPaths


class Logger:
    """Writes the files of a run folder and the lines on the screen; only the first process speaks.

    Args:
        folder: the run folder.
        first_step: where training starts; lines of later steps in old files are dropped (they
            belong to steps that a resumed run takes again).
        total_steps: for the progress bar.
        names: of the unlabeled images, for hardness.csv.
        device: that processes exchange numbers on.
    """

    def __init__(
        self,
        folder: Path,
        first_step: int,
        total_steps: int,
        names: Sequence[str],
        device: torch.device,
    ):
        self.folder, self.names, self.total_steps = folder, names, total_steps
        self.device = device
        self.active = processes.rank() == 0
        self.console = Console(highlight=False)
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()
        self.easiness: list[tuple[int, Tensor, Tensor]] = []
        self.since, self.images = time.perf_counter(), 0
        self.bar = self._bar(first_step) if self.active and self.console.is_terminal else None
        self.tensorboard = self._tensorboard() if self.active else None
        if self.active:
            for table in RunPaths(folder).tables:
                _drop_later_rows(table, first_step)
            _drop_later_lines(folder / "metrics.jsonl", first_step)

    def say(self, text: str) -> None:
        """One line on the screen and in train.log."""
        if self.active:
            self.console.print(text, markup=False, soft_wrap=True)
            with (self.folder / "train.log").open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    def collect(self, step: int, report: StepReport, indices: Tensor | None, images: int) -> None:
        """Keeps the report of one round on the device, until `metrics` needs it."""
        for name, value in report.by_name().items():
            # processes on GPUs can only average what lies there
            self.sums[name] = self.sums.get(name, 0) + send(value.mean(), self.device)
            self.counts[name] += 1  # a method may report more after its warm-up
        if indices is not None and report.easiness is not None:
            self.easiness.append((step, indices, send(report.easiness, self.device)))
        self.images += images

    def metrics(self, step: int, lr: float) -> dict[str, float]:
        """Averages what was collected, over steps and processes; writes and shows it."""
        values = {n: float(processes.mean(x / self.counts[n])) for n, x in self.sums.items()}
        seconds = time.perf_counter() - self.since
        values |= {"lr": lr, "images_per_second": self.images * processes.world_size() / seconds}
        self._write_hardness()
        self._append_jsonl("metrics.jsonl", {"step": step, **values})
        self._tensorboard_scalars(values, step)
        self._show(step, values)
        self.sums, self.counts, self.images, self.since = {}, Counter(), 0, time.perf_counter()
        return values

    def results(self, step: int, network: str, scores: Scores, class_names: Sequence[str]) -> None:
        """Writes one network's scores."""
        row = {
            "step": step,
            "network": network,
            "miou": f"{scores.miou:.4f}",
            "pixel_accuracy": f"{scores.pixel_accuracy:.4f}",
        }
        self._append_csv("results.csv", [row])
        self._append_csv(
            "per_class.csv",
            [
                {"step": step, "network": network, "class": name, "iou": f"{iou:.4f}"}
                for name, iou in zip(class_names, scores.iou, strict=True)
            ],
        )
        self._tensorboard_scalars({f"miou/{network}": scores.miou}, step)

    def pseudo_labels(
        self, step: int, quality: PseudoQuality, class_names: Sequence[str], prior: np.ndarray
    ) -> None:
        """Writes and says what the pseudo-labels are worth.

        Args:
            step: steps done.
            quality: as measured on val.
            class_names: K of them.
            prior: share of each class in the labeled pixels, [K].
        """
        numbers = {
            "used": quality.used,
            "accuracy": quality.accuracy,
            "confidence": quality.confidence,
            "calibration_error": quality.calibration_error,
        }
        self._append_csv(
            "pseudo_labels.csv", [{"step": step, **{k: f"{v:.4f}" for k, v in numbers.items()}}]
        )
        self._append_csv(
            "pseudo_shares.csv",
            [
                {"step": step, "class": name, "pseudo": f"{share:.4f}", "labeled": f"{known:.4f}"}
                for name, share, known in zip(class_names, quality.shares, prior, strict=True)
            ],
        )
        self._tensorboard_scalars({f"pseudo/{name}": v for name, v in numbers.items()}, step)
        self.say(
            f"step {step}/{self.total_steps}  pseudo-labels on val  used {quality.used:.0%}  "
            f"right {quality.accuracy:.1%}  sure {quality.confidence:.1%}"
        )

    def times(self, step: int, seconds: Mapping[str, float], memory: float) -> None:
        """Writes where the time went since the last such row, and the peak memory in GiB."""
        rounded = {part: f"{value:.3f}" for part, value in seconds.items()}
        self._append_csv("times.csv", [{"step": step, **rounded, "memory_gib": f"{memory:.3f}"}])

    def has_results(self, step: int) -> bool:
        """Whether this step's scores were written, before a kill perhaps."""
        file = self.folder / "results.csv"
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return any(line.startswith(f"{step},") for line in lines)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves what happens inside (an evaluation, a checkpoint) out of images per second."""
        start = time.perf_counter()
        yield
        self.since += time.perf_counter() - start

    def close(self) -> None:
        """Takes the bar off the screen and closes TensorBoard."""
        if self.bar is not None:
            self.bar.stop()
        if self.tensorboard is not None:
            self.tensorboard.close()

    def _show(self, step: int, values: Mapping[str, float]) -> None:
        losses = [name for name in values if name.startswith("loss_")][:2]  # a line has no room
        shown = [f"{name.removeprefix('loss_')} {values[name]:.3f}" for name in losses]
        if "used_pixels" in values:
            shown.append(f"used {values['used_pixels']:.0%}")
        shown += [f"lr {values['lr']:.2g}", f"{values['images_per_second']:.1f} images/s"]
        if torch.cuda.is_available():
            shown.append(f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
        if self.bar is not None:
            self.bar.update(self.task, completed=step, info="  ".join(shown))
        elif self.active:
            self.say(f"step {step}/{self.total_steps}  " + "  ".join(shown))

    def _bar(self, first_step: int) -> Progress:
        columns = (
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(20),
            TimeRemainingColumn(),
            TextColumn("{task.fields[info]}"),
        )
        bar = Progress(*columns, console=self.console, transient=True)
        self.task = bar.add_task("", total=self.total_steps, completed=first_step, info="")
        bar.start()
        return bar

    def _write_hardness(self) -> None:
        rows = []
        for step, numbers, easiness in self.easiness:
            images = processes.gather(numbers.to(easiness.device)).tolist()
            for image, h in zip(images, processes.gather(easiness).tolist(), strict=True):
                name, easy, hard = self.names[image], f"{h:.6f}", f"{1 - h:.6f}"
                rows.append({"step": step, "image": name, "easiness": easy, "hardness": hard})
        self.easiness = []
        self._append_csv("hardness.csv", rows)

    def _append_csv(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not self.active or not rows:
            return
        file = self.folder / name
        is_new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            if is_new:
                writer.writeheader()
            writer.writerows(rows)

    def _append_jsonl(self, name: str, values: Mapping[str, Any]) -> None:
        if self.active:
            with (self.folder / name).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(values) + "\n")

    def _tensorboard(self) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        return SummaryWriter(self.folder / "tb")

    def _tensorboard_scalars(self, values: Mapping[str, float], step: int) -> None:
        if self.tensorboard is not None:
            for name, value in values.items():
                self.tensorboard.add_scalar(name, value, step)


def _drop_later_rows(file: Path, first_step: int) -> None:
    """Keeps the rows of a CSV file up to a step, and a last row only if it is whole."""
    if not file.exists():
        return
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = list(csv.reader(stream))
    whole = [row for row in rows[1:] if len(row) == len(rows[0]) and row[0].isdecimal()]
    kept = rows[:1] + [row for row in whole if int(row[0]) <= first_step]
    text = io.StringIO()
    csv.writer(text).writerows(kept)
    _rewrite(file, text.getvalue())


def _drop_later_lines(file: Path, first_step: int) -> None:
    """The same for a file of JSON lines."""
    if not file.exists():
        return
    kept = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= first_step:
                kept.append(line)
        except (ValueError, TypeError, KeyError):
            continue  # cut off by a kill, or damaged
    _rewrite(file, "".join(line + "\n" for line in kept))


def _rewrite(file: Path, text: str) -> None:
    """Replaces a file, or removes it where nothing is left."""
    if text:
        atomic.write_text(file, text)
    else:
        file.unlink()
