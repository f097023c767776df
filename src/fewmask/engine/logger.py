"""Collects what a run reports, averages it, and hands it on to the sinks and the screen."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewmask.batch import StepReport, send
from fewmask.engine import wording
from fewmask.engine.averages import ReportAverage
from fewmask.engine.pace import Pace
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.engine.screen import Activity, Screen
from fewmask.engine.sinks import Sink, Table
from fewmask.engine.sinks.choosing import RUN_FOLDER_SINKS
from fewmask.engine.stopwatch import wait_for
from fewmask.evaluation import Scores
from fewmask.evaluation.evaluator import Track
from fewmask.parts import processes
from fewmask.run_folder.paths import RunPaths

TRIAL, TRIAL_SECONDS = 5, 30.0
"""Steps, or seconds after the first step, from which a run knows whether it will take long."""


class Metrics(NamedTuple):
    """Averages over the steps since the last log line, and over processes."""

    report: StepReport
    lr: float  # of the encoder, in the last of these steps
    images_per_second: float  # of all processes together

    def by_name(self) -> dict[str, float]:
        """All values under the names that they have in metrics.jsonl."""
        values = {name: float(value) for name, value in self.report.by_name().items()}
        return {**values, "lr": self.lr, "images_per_second": self.images_per_second}


class Logger:
    """Collects on every process; only the first process writes and prints.

    Args:
        sinks: receive everything that is logged.
        total_steps: of the run.
        names: names of the unlabeled images, for the hardness table.
        class_names: K of them.
        device: where processes exchange numbers.
        evaluate_every: steps between evaluations, which take time, too; None: there are none.
        runs: how many runs of this kind there will be, with this one.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        total_steps: int,
        names: Sequence[str],
        class_names: Sequence[str],
        device: torch.device,
        evaluate_every: int | None = None,
        runs: int = 1,
    ):
        is_first = processes.rank() == 0
        self.sinks = list(sinks) if is_first else []
        self.screen = Screen(self.say) if is_first else None
        self.total_steps, self.names, self.class_names = total_steps, names, class_names
        self.device, self.evaluate_every, self.runs = device, evaluate_every, runs
        self.steps: Activity | None = None  # as the first process shows it
        self.reports = ReportAverage(device)
        self.easiness: list[tuple[int, Tensor, Tensor]] = []
        self.since, self.images = time.perf_counter(), 0

    def open(self, paths: RunPaths, first_step: int) -> None:
        """Starts to log.

        Args:
            paths: of the run folder.
            first_step: steps already taken; sinks drop what they hold of later ones.
        """
        waiting, self.sinks = self.sinks, []
        for sink in waiting:
            sink.open(paths, first_step)
            self.sinks.append(sink)  # only what was opened is written to, and closed
        if self.screen is not None:
            self.screen.open()
            pace = Pace(self.total_steps, first_step, self.evaluate_every)
            self.steps = Activity(self.screen, "step", pace, at_once=True)
            # Who resumes a run knows that it takes long.
            self.is_on_trial = first_step == 0
        self.since = time.perf_counter()

    def say(self, line: str) -> None:
        """Prints a line, which also goes to the sinks."""
        if self.screen is not None:
            self.screen.text(line)
        self._send(lambda sink: sink.text(line))

    def collect(self, step: int, report: StepReport, indices: Tensor | None, images: int) -> None:
        """Keeps the report of one round on the device until `metrics` needs it.

        Args:
            step: the number of the step that the round belongs to, from 1.
            report: of this process.
            indices: which unlabeled images were used, [B].
            images: labeled and unlabeled ones together.
        """
        self.reports.add(report)
        if indices is not None and report.easiness is not None:
            self.easiness.append((step, indices, send(report.easiness, self.device)))
        self.images += images

    def advance(self, step: int) -> None:
        """Shows that a step is done. After the first ones, says so if the run will take long."""
        if self.steps is None:
            return
        if self.is_on_trial:
            wait_for(self.device)  # a GPU may still be at work on the step
        self.steps.reach(step)
        if self.is_on_trial:
            self._warn_of_long_run(step, self.steps.pace)

    def tracks(self, network: str) -> Track:
        """Shows how many images of an evaluation are done, for a network by name."""
        return iter if self.screen is None else partial(self.screen.track, f"{network}: val image")

    def metrics(self, step: int, lr: float) -> Metrics:
        """Averages what was collected since the last call, and logs it."""
        report = self.reports.take()
        seconds = time.perf_counter() - self.since
        metrics = Metrics(report, lr, self.images * processes.world_size() / seconds)
        # Gathering needs all processes, so it must not depend on who writes.
        self._hand_on("hardness", self._take_hardness())
        self._send(lambda sink: sink.scalars(step, metrics.by_name()))
        self._show(step, metrics)
        self.images, self.since = 0, time.perf_counter()
        return metrics

    def scores(self, step: int, scores: Mapping[str, Scores], best: Mapping[str, float]) -> None:
        """Logs the scores of each network.

        Args:
            step: steps taken.
            scores: of each network.
            best: mIoU of each network at its best so far.
        """
        for network, of_network in scores.items():
            self._send(partial(_score, step, network, of_network, self.class_names))
        self._say_at(step, wording.evaluation(scores, best))

    def pseudo_labels(self, step: int, quality: PseudoQuality, prior: np.ndarray) -> None:
        """Logs how good the pseudo-labels are.

        Args:
            step: steps taken.
            quality: as measured on the validation images.
            prior: share of each class in the labeled pixels, [K].
        """
        numbers = quality._asdict()
        shares = zip(self.class_names, numbers.pop("shares"), prior, strict=True)
        self._hand_on("pseudo_labels", [{"step": step, **numbers}])
        self._hand_on(
            "pseudo_shares",
            [
                {"step": step, "class": name, "pseudo": float(pseudo), "labeled": float(labeled)}
                for name, pseudo, labeled in shares
            ],
        )
        self._say_at(step, wording.pseudo_labels(quality))

    @property
    def has_news(self) -> bool:
        """Whether anything was collected since the last call of `metrics`."""
        return self.images > 0

    def times(self, step: int, seconds: Mapping[str, float], gib: float) -> None:
        """Logs where the time went since the last such row, and the peak memory in GiB."""
        self._hand_on("times", [{"step": step, **seconds, "memory_gib": gib}])

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves what happens inside (an evaluation, a checkpoint) out of images per second."""
        start = time.perf_counter()
        with nullcontext() if self.steps is None else self.steps.pace.paused():
            yield
        self.since += time.perf_counter() - start

    def close(self) -> None:
        """Removes the progress bar and closes the sinks."""
        if self.screen is not None:
            self.screen.close()
        self._send(lambda sink: sink.close())

    def _send(self, call: Callable[[Sink], None]) -> None:
        """Calls every sink. One of the user's own that fails is named and left out from then on.

        A run of many hours must not end because a server is down; but a run folder that cannot be
        written to ends it.
        """
        for sink in list(self.sinks):
            try:
                call(sink)
            except Exception as error:  # a sink can do anything
                if isinstance(sink, RUN_FOLDER_SINKS):
                    raise
                self.sinks.remove(sink)
                self.say(
                    f"logging.sinks: {sink.config.name} failed ({type(error).__name__}: {error}). "
                    "This run no longer writes to it."
                )

    def _hand_on(self, table: Table, rows: Sequence[Mapping[str, str | float]]) -> None:
        if rows:
            self._send(lambda sink: sink.rows(table, rows))

    def _show(self, step: int, metrics: Metrics) -> None:
        is_cuda = torch.cuda.is_available()
        gib = torch.cuda.max_memory_allocated() / 2**30 if is_cuda else None
        info = wording.progress(*metrics, gib)
        if self.steps is not None:
            self.steps.report(step, info)

    def _warn_of_long_run(self, step: int, pace: Pace) -> None:
        each = pace.seconds_each
        if each is not None and (step >= TRIAL or pace.seconds_seen >= TRIAL_SECONDS):
            self.is_on_trial = False
            warning = wording.long_run(self.total_steps, each, self.device.type, self.runs)
            if warning is not None:
                self.say(warning)

    def _say_at(self, step: int, text: str) -> None:
        self.say(f"step {step}/{self.total_steps}  {text}")

    def _take_hardness(self) -> list[dict[str, str | float]]:
        """One row for each unlabeled image that was seen since the last call, of all processes."""
        rows: list[dict[str, str | float]] = []
        for step, numbers, easiness in self.easiness:
            images = processes.gather(numbers.to(easiness.device)).tolist()
            for image, easy in zip(images, processes.gather(easiness).tolist(), strict=True):
                name = self.names[image]
                rows.append({"step": step, "image": name, "easiness": easy, "hardness": 1 - easy})
        self.easiness = []
        return rows


def _score(step: int, network: str, scores: Scores, class_names: Sequence[str], sink: Sink) -> None:
    sink.scores(step, network, scores, class_names)
