"""The loop: batch -> step -> log -> evaluate -> checkpoint."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from fewmask.batch import Batch, StepReport, to_device
from fewmask.data import Data
from fewmask.data.loader import load_batches
from fewmask.engine import setup, wording
from fewmask.engine.cost import Cost
from fewmask.engine.divergence import refuse_nan
from fewmask.engine.logger import Logger, Metrics
from fewmask.engine.memory import forget_peak_memory, peak_memory
from fewmask.engine.profiling import Profile
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.engine.saving import Checkpoints, load_last, restore
from fewmask.engine.settings import Settings
from fewmask.engine.sinks.choosing import create_sinks
from fewmask.engine.stopping import StopSignals
from fewmask.engine.stopwatch import Stopwatch, wait_for
from fewmask.engine.streams import LabeledPass, progress_at_start, training_streams
from fewmask.engine.validation import Validation
from fewmask.evaluation import Scores
from fewmask.methods import Method
from fewmask.methods.method import require_report
from fewmask.parts.spans import span
from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.tables import steps_in

STEP_SEEDS = 2
"""The number of this stream of seeds; 0 and 1 are the loader's."""
REHEARSED = 4
"""How often a rehearsal takes the last step."""


class Trainer:
    """Trains a method on data and keeps a run folder.

    Args:
        fabric: launched.
        method: fresh, or with weights to start from.
        data: opened and checked.
        folder: the run folder.
        settings: a recipe.
        card: plain values that `best.pt` carries, so that it can be used without the recipe.
        resume: whether to continue from the last checkpoint in the folder: networks, optimizers,
            step and best scores.

    Raises:
        UserError: if the batch cannot be divided, a sink cannot be used, or a checkpoint does not
            fit.
    """

    def __init__(
        self,
        fabric: Fabric,
        method: Method,
        data: Data,
        folder: Path,
        settings: Settings,
        card: dict[str, Any],
        resume: bool = False,
    ):
        self.fabric, self.method, self.data, self.settings = fabric, method, data, settings
        self.paths, self.training = RunPaths(folder), settings.training
        self.sinks = create_sinks(settings.logging)
        # Weights are loaded before the networks are compiled, synchronized and given optimizers.
        state = load_last(self.paths, method) if resume else None
        self.normalization = method.student.normalization
        self.streams = training_streams(data, settings, method.views, self.normalization)
        self.labeled_pass = LabeledPass(data, settings, fabric.device, self.normalization)
        self.start = progress_at_start(data, settings, method.views)
        self.minimizer = setup.place(method, fabric, data, settings)
        self.checkpoints = Checkpoints(self.paths, method, self.minimizer, card)
        self.validation = Validation(fabric, method, data, settings)
        self.health = setup.create_health(method, data, settings)
        self.clock = Stopwatch()
        self.stop = StopSignals(fabric.device)
        self.step, self.is_stopped = 0, False  # steps taken; whether a signal has stopped training
        if state is not None:
            restore(self.minimizer, state["minimizer"], self.paths.last)
            self.step, self.checkpoints.best = state["step"], state["best"]

    def run(
        self, last_step: int | None = None, profile: bool = False, runs: int = 1
    ) -> dict[str, Scores]:
        """Trains up to `last_step`, by default to the end.

        Args:
            last_step: where to stop.
            profile: whether to measure what some of the first steps spend their time on; see
                `engine/profiling.py`.
            runs: how many such runs there will be, with this one.

        Returns:
            The last scores of each network; empty if a signal has stopped training.

        Raises:
            UserError: if training diverges, or a checkpoint cannot be written.
        """
        forget_peak_memory(self.fabric.device)
        logger = self._create_logger(runs)
        profiler = (
            setup.profiler(self.fabric, self.method, self.clock, self.paths) if profile else None
        )
        try:
            logger.open(self.paths, self.step)
            with self.stop.listen(), profiler or nullcontext():
                scores = self._loop(last_step or self.training.steps, logger, profiler)
            return {} if self.is_stopped else scores or self._score_finished_run(logger)
        finally:
            logger.close()

    def rehearse(self) -> Cost:
        """Takes the first step, and a few times the last one, which costs the most; writes nothing.

        It also evaluates a few images.
        """
        seconds, last = [], self.training.steps - 1
        batches = load_batches(self.streams, 0, REHEARSED + 1, workers=0, pin=False)
        for step, rounds in zip([0] + [last] * REHEARSED, batches, strict=True):
            start = time.perf_counter()
            list(self._train_on(rounds, step))
            wait_for(self.fabric.device)
            seconds.append(time.perf_counter() - start)
        # The first two steps also allocate memory, and compile if that is wanted.
        usual, evaluation = median(seconds[2:]), self.validation.rehearse()
        return Cost(usual, evaluation, peak_memory(self.fabric.device))

    def _loop(self, last_step: int, logger: Logger, profiler: Profile | None) -> dict[str, Scores]:
        scores: dict[str, Scores] = {}
        for rounds in self._batches(last_step):
            with self.clock.measure("steps"):
                self._take_step(rounds, logger)
            if profiler is not None:
                profiler.step()
            scores = self._after_step(logger) or scores
            logger.advance(self.step)
            if self.stop.agree_to_stop(self.step):
                self._save_and_say_how_to_resume(logger)
                break
        return scores

    def _batches(self, last_step: int) -> Iterator[list[Batch]]:
        """The batches from here to a step; one list of accumulation rounds for each step."""
        pin, workers = self.fabric.device.type == "cuda", self.settings.machine.workers
        batches = load_batches(self.streams, self.step, last_step, workers, pin)
        return self.clock.waiting(batches)

    def _take_step(self, rounds: list[Batch], logger: Logger) -> None:
        for batch, report in zip(rounds, self._train_on(rounds, self.step), strict=True):
            indices = None if batch.unlabeled is None else batch.unlabeled.image_index
            images = len(batch.labeled.image) + (0 if indices is None else len(indices))
            logger.collect(self.step + 1, report, indices, images)
        self.step += 1

    def _train_on(self, rounds: list[Batch], step: int) -> Iterator[StepReport]:
        """Takes a gradient step, round by round."""
        self.minimizer.begin(step)
        progress = self.start._replace(step=step)
        for i, batch in enumerate(rounds):
            # All randomness of a step follows from its number, so that a resumed run is the same.
            seeds = np.random.SeedSequence((self.settings.seed, STEP_SEEDS, step, i))
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            if i == 0:
                self.method.prepare(iter(self.labeled_pass), progress)
            # Weights move in the last round only; until then gradients add up.
            self.minimizer.last_round = i == len(rounds) - 1
            on_device = to_device(batch, self.fabric.device, self.normalization)
            report = self.method.step(on_device, self.minimizer, progress)
            yield require_report(report, self.method)

    def _after_step(self, logger: Logger) -> dict[str, Scores]:
        """Logs, evaluates and saves when it is time; returns new scores, if there are any."""
        # An interval need not divide the number of steps, but a run always ends with scores.
        ends, scores = self.step == self.training.steps, dict[str, Scores]()
        evaluates = ends or self.step % self.training.evaluation_interval() == 0
        saves = ends or self.step % self.training.checkpoint_interval() == 0
        if not (evaluates or saves):
            if self.step % self.training.log_every == 0:
                self._log(logger)
            return scores
        metrics = self._log(logger)
        with logger.paused():
            if evaluates:
                scores = self._evaluate_and_advise(logger, metrics)
            if saves:
                with self.clock.measure("saving"):
                    self.checkpoints.save_last(self.step)
            logger.times(self.step, self.clock.take(), peak_memory(self.fabric.device))
        return scores

    def _log(self, logger: Logger) -> Metrics:
        with self.clock.measure("steps"), span("logging"):
            metrics = logger.metrics(self.step, self.minimizer.lr)
        # The bad values are in the log by now, where the user can see what came before them.
        refuse_nan(metrics.by_name(), self.step)
        return metrics

    def _evaluate_and_advise(self, logger: Logger, metrics: Metrics) -> dict[str, Scores]:
        with self.clock.measure("evaluation"):
            scores = self._evaluate(logger)
            quality = self._judge_pseudo_labels(logger)
        for advice in self.health.advise(self.step, metrics.report, scores, quality):
            logger.say(advice)
        return scores

    def _evaluate(self, logger: Logger) -> dict[str, Scores]:
        """Scores every network, and saves the main one if it was never better."""
        scores = self.validation.scores(tracks=logger.tracks)
        self.checkpoints.save_evaluation(self.step, scores)
        logger.scores(self.step, scores, self.checkpoints.best)
        return scores

    def _judge_pseudo_labels(self, logger: Logger) -> PseudoQuality | None:
        """Compares the pseudo-labels with the masks of validation images."""
        quality = self.validation.pseudo_quality()
        if quality is not None and self.health.prior is not None:
            logger.pseudo_labels(self.step, quality, self.health.prior)
        return quality

    def _score_finished_run(self, logger: Logger) -> dict[str, Scores]:
        """The scores of a run that was resumed when all its steps had been taken."""
        # A run that was killed may still lack some rows of its last step.
        scored, timed = (self.step in steps_in(f) for f in (self.paths.results, self.paths.times))
        scores = self.validation.scores(tracks=logger.tracks) if scored else self._evaluate(logger)
        if not timed:
            logger.times(self.step, self.clock.take(), peak_memory(self.fabric.device))
        return scores

    def _save_and_say_how_to_resume(self, logger: Logger) -> None:
        self.is_stopped = True
        if logger.has_news:  # a resumed run cannot log again what led here
            self._log(logger)
        self.checkpoints.save_last(self.step)
        logger.times(self.step, self.clock.take(), peak_memory(self.fabric.device))
        logger.say(wording.stopped(self.step, self.training.steps, self.paths.folder))

    def _create_logger(self, runs: int) -> Logger:
        names, classes = self.data.unlabeled.names, self.data.classes.names
        steps, every = self.training.steps, self.training.evaluation_interval()
        return Logger(self.sinks, steps, names, classes, self.fabric.device, every, runs)
