"""The loop: batch -> step -> log -> evaluate -> checkpoint."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from fewmask.batch import (
    IMAGE_MEAN,
    IMAGE_STD,
    Batch,
    Labeled,
    Progress,
    StepReport,
    Views,
    to_device,
)
from fewmask.data import BatchStream, Data, LoaderConfig
from fewmask.data.dataset import label_shares
from fewmask.data.loader import load_batches
from fewmask.engine.compiling import compile_networks, eagerly
from fewmask.engine.health import Health
from fewmask.engine.launch import share_batchnorm
from fewmask.engine.logger import Logger
from fewmask.engine.memory import forget_peak_memory, peak_memory
from fewmask.engine.minimizer import Minimizer
from fewmask.engine.profiling import Profile
from fewmask.engine.pseudo_quality import PseudoQuality, pseudo_quality
from fewmask.engine.run_precision import compute_in_run_precision
from fewmask.engine.settings import MachineConfig, TrainingConfig
from fewmask.engine.stopwatch import Stopwatch, wait_for
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig, Scores, evaluate
from fewmask.methods import Method
from fewmask.methods.method import require_report
from fewmask.parts import processes
from fewmask.parts.spans import span
from fewmask.run_folder import checkpoint

STOP_EVERY = 10  # steps after which several processes agree on whether to stop
PRIOR_MASKS = 200  # of which the shares of classes are told, to compare pseudo-labels with
STEP_SEEDS = 2  # the number of this stream of seeds; 0 and 1 are the loader's


class Trainer:
    """Trains a method on data and keeps a run folder.

    Args:
        fabric: launched.
        method: fresh or with weights to start from.
        data: opened and checked.
        folder: the run folder.
        seed: of batches and steps.
        loader: crop, scale, batch sizes.
        training: steps, optimizer, precision.
        evaluation: how networks are scored.
        machine: loader workers.
        resume: continues from the folder's last checkpoint: networks, optimizers, step, best
            scores.
        card: plain values that `best.pt` carries along, so that it can be used without the recipe.
    """

    def __init__(
        self,
        fabric: Fabric,
        method: Method,
        data: Data,
        folder: Path,
        *,
        seed: int,
        loader: LoaderConfig,
        training: TrainingConfig,
        evaluation: EvaluationConfig,
        machine: MachineConfig,
        card: dict[str, Any],
        resume: bool = False,
    ):
        self.fabric, self.data, self.folder, self.seed = fabric, data, folder, seed
        self.training, self.evaluation, self.machine, self.card = (
            training,
            evaluation,
            machine,
            card,
        )
        self.streams = make_streams(fabric, data, loader, method, seed, training.accumulate or 1)
        own_share = (fabric.global_rank, fabric.world_size)
        self.labeled_stream = BatchStream(data, loader, None, seed, own_share)
        pool, batch = (
            (data.labeled, loader.labeled_batch)
            if method.views is None
            else (data.unlabeled, loader.unlabeled_batch)
        )
        self.steps_per_epoch = max(1, len(pool) // batch)
        state = (
            checkpoint.load(folder / "weights" / "last.pt", "method", "minimizer", "step", "best")
            if resume
            else None
        )
        if state is not None:
            checkpoint.fill(method, state["method"], folder / "weights" / "last.pt")
        method.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.method = method
        method.require_contract(self._blank_image(loader.crop))
        if training.compile:
            compile_networks(method, fabric.device)
        self.minimizer = Minimizer(fabric, method, training)
        trained = {name for names in method.trained_together() for name in names}
        for name, network in list(method.named_children()):
            if name not in trained:
                setattr(method, name, share_batchnorm(network, fabric))
                compute_in_run_precision(getattr(method, name), fabric)
        self.step = 0  # steps done
        self.best: dict[str, float] = {}  # best mIoU so far, by network
        prior = None
        if method.views is not None:
            prior = label_shares(data.labeled, len(data.classes), most=PRIOR_MASKS)
        self.health = Health(data.classes.names, training.steps, prior)
        self.pseudo_stream = None if method.views is None else _val_stream(data, loader, own_share)
        self.clock = Stopwatch()
        self.stop_signal: int | None = None
        if state is not None:
            self.minimizer.load_state_dict(state["minimizer"])
            self.step, self.best = state["step"], state["best"]

    def _blank_image(self, side: int) -> torch.Tensor:
        """[1, C, side, side] on the device, with as many bands as the images have."""
        bands = self.data.labeled.image(0).shape[2]
        return torch.zeros(1, bands, side, side, device=self.fabric.device)

    def run(self, last_step: int | None = None, profile: bool = False) -> dict[str, Scores]:
        """Trains up to `last_step`, by default to the end.

        Args:
            last_step: where to stop.
            profile: whether to look at some of the first steps, see `engine/profiling.py`.

        Returns:
            The last scores of each network; empty if training was stopped by a signal.

        Raises:
            UserError: if the loss is no longer a number.
        """
        forget_peak_memory(self.fabric.device)
        last_step = last_step or self.training.steps
        names, device = self.data.unlabeled.names, self.fabric.device
        logger = Logger(self.folder, self.step, self.training.steps, names, device)
        scores: dict[str, Scores] = {}
        pin = self.fabric.device.type == "cuda"
        batches = load_batches(self.streams, self.step, last_step, self.machine.workers, pin)
        looks = profile and self.fabric.global_rank == 0
        profiler = (
            Profile([*self.method.children()], self.clock, self.folder, pin) if looks else None
        )
        try:
            with self._stop_on_signals(), profiler or nullcontext():
                for rounds in self.clock.waiting(batches):
                    with self.clock.measure("steps"):
                        self._take_step(rounds, logger)
                    if profiler is not None:
                        profiler.step()
                    scores = self._after_step(logger, scores)
                    if self._is_stopped():
                        self._save_last()
                        logger.say(
                            f"Stopped at step {self.step} of {self.training.steps}; all is saved. "
                            f"Go on with: fewmask train --resume {self.folder}"
                        )
                        return {}
        finally:
            logger.close()
        if not scores:  # resumed when everything was done
            known = logger.has_results(self.step)
            scores = self._score_all() if known else self._evaluate(logger)
        return scores

    def _take_step(self, rounds: list[Batch], logger: Logger) -> None:
        for batch, report in zip(rounds, self._train_on(rounds, self.step), strict=True):
            indices = None if batch.unlabeled is None else batch.unlabeled.image_index
            images = len(batch.labeled.image) + (0 if indices is None else len(indices))
            logger.collect(self.step + 1, report, indices, images)
        self.step += 1

    def _train_on(self, rounds: list[Batch], step: int) -> Iterator[StepReport]:
        """A gradient step, round by round."""
        self.minimizer.begin(step)
        progress = Progress(step, self.training.steps, self.steps_per_epoch)
        for i, batch in enumerate(rounds):
            # All randomness of a step follows from its number.
            seeds = np.random.SeedSequence((self.seed, STEP_SEEDS, step, i))
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            if i == 0:
                self.method.prepare(self._labeled_pass(), progress)
            self.minimizer.last_round = i == len(rounds) - 1
            on_device = to_device(batch, self.fabric.device)
            report = self.method.step(on_device, self.minimizer, progress)
            yield require_report(report, self.method)

    def _labeled_pass(self) -> Iterator[Labeled]:
        """This process's share of one pass over the labeled set; the last batch may wrap round."""
        whole = self.labeled_stream.config.labeled_batch
        for step in range(math.ceil(len(self.data.labeled) / whole)):
            yield to_device(self.labeled_stream[step], self.fabric.device).labeled

    def _after_step(self, logger: Logger, scores: dict[str, Scores]) -> dict[str, Scores]:
        """Logs, evaluates and saves when it is time; returns the newest scores."""
        ends = self.step == self.training.steps
        evaluates = ends or self.step % self.training.evaluation_interval() == 0
        saves = ends or self.step % self.training.checkpoint_interval() == 0
        if self.step % self.training.log_every == 0 or evaluates or saves:
            with self.clock.measure("steps"), span("logging"):
                values = logger.metrics(self.step, self.minimizer.lr)
            _refuse_nan(values, self.step)
        with logger.paused():
            if evaluates:
                with self.clock.measure("evaluation"):
                    scores = self._evaluate(logger)
                    quality = self._look_at_pseudo_labels(logger)
                for advice in self.health.look(self.step, values, scores, quality):
                    logger.say(advice)
            if saves:
                with self.clock.measure("saving"):
                    self._save_last()
            if evaluates or saves:
                logger.times(self.step, self.clock.take(), peak_memory(self.fabric.device))
        return scores

    def _look_at_pseudo_labels(self, logger: Logger) -> PseudoQuality | None:
        """Compares them with val's masks, and says what they are worth."""
        if self.pseudo_stream is None:
            return None
        classes, device = self.data.classes, self.fabric.device
        with self.fabric.autocast(), eagerly():
            quality = pseudo_quality(self.method, self.pseudo_stream, len(classes), device)
        if quality is not None:
            logger.pseudo_labels(self.step, quality, classes.names, self.health.prior)
        return quality

    def _evaluate(self, logger: Logger) -> dict[str, Scores]:
        """Scores every predictor, and saves the first as best when it has never been better."""
        all_scores = self._score_all()
        for name, scores in all_scores.items():
            logger.results(self.step, name, scores, self.data.classes.names)
        main = next(iter(all_scores))
        if all_scores[main].miou > self.best.get(main, -math.inf):
            self._save_best(main, all_scores[main])
        for name, scores in all_scores.items():
            self.best[name] = max(scores.miou, self.best.get(name, -math.inf))
        shown = "  ".join(
            f"{name} {s.miou:.2f} (best {self.best[name]:.2f})" for name, s in all_scores.items()
        )
        logger.say(f"step {self.step}/{self.training.steps}  val mIoU  {shown}")
        return all_scores

    def _score_all(self) -> dict[str, Scores]:
        classes, device = len(self.data.classes), self.fabric.device
        with self.fabric.autocast(), eagerly():
            return {
                name: evaluate(network, self.data.val, classes, self.evaluation, device)
                for name, network in self.method.predictors().items()
            }

    def _save_last(self) -> None:
        _refuse_nan_weights(self.method, self.step)
        if processes.rank() == 0:
            state = {
                "step": self.step,
                "best": self.best,
                "method": self.method.state_dict(),
                "minimizer": self.minimizer.state_dict(),
            }
            checkpoint.save(state, self.folder / "weights" / "last.pt")

    def _save_best(self, network: str, scores: Scores) -> None:
        if processes.rank() == 0:
            state = {
                **self.card,
                "network": network,
                "step": self.step,
                "miou": scores.miou,
                "image_mean": IMAGE_MEAN,
                "image_std": IMAGE_STD,
                "weights": self.method.predictors()[network].state_dict(),
            }
            checkpoint.save(state, self.folder / "weights" / "best.pt")

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end training after the step in progress, a second one at once."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stop_signal is not None:
                raise KeyboardInterrupt
            self.stop_signal = number

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _is_stopped(self) -> bool:
        """Whether any process was told to stop; all get the same answer, of every tenth step."""
        if self.fabric.world_size == 1:
            return self.stop_signal is not None
        if self.step % STOP_EVERY:  # to ask is to wait for the device
            return False
        told = torch.tensor(float(self.stop_signal is not None), device=self.fabric.device)
        return bool(processes.total(told) > 0)

    def rehearse(self) -> tuple[float, float]:
        """Takes the first step, and twice the last, past every warm-up, without writing anything.

        Returns:
            Seconds of the last one, and peak memory in GiB.
        """
        seconds, last = 0.0, self.training.steps - 1
        batches = load_batches(self.streams, 0, 3, workers=0, pin=False)
        for step, rounds in zip((0, last, last), batches, strict=True):
            start = time.perf_counter()
            for _ in self._train_on(rounds, step):
                pass
            wait_for(self.fabric.device)
            seconds = time.perf_counter() - start
        return seconds, peak_memory(self.fabric.device)


def make_streams(
    fabric: Fabric, data: Data, loader: LoaderConfig, method: Method, seed: int, accumulate: int
) -> list[BatchStream]:
    """This process's share of the batches, one stream per accumulation round.

    Raises:
        UserError: if a batch cannot be divided equally, or leaves BatchNorm a single image.
    """
    parts = fabric.world_size * accumulate
    for name, batch in (
        ("labeled_batch", loader.labeled_batch),
        ("unlabeled_batch", loader.unlabeled_batch),
    ):
        if batch % parts:
            raise UserError(
                f"loader.{name}={batch} cannot be divided by {fabric.world_size} device(s) x "
                f"{accumulate} accumulation round(s). Choose a multiple of {parts}."
            )
    if loader.labeled_batch // accumulate < 2:
        raise UserError(
            f"loader.labeled_batch={loader.labeled_batch} leaves one image to normalize over "
            "(BatchNorm after image pooling needs two). Use 2 or more per accumulation round."
        )
    shares = [(i * fabric.world_size + fabric.global_rank, parts) for i in range(accumulate)]
    return [BatchStream(data, loader, method.views, seed, share) for share in shares]


def _val_stream(data: Data, loader: LoaderConfig, share: tuple[int, int]) -> BatchStream:
    """Val images in the place of labeled ones, beside unlabeled ones; for looking only."""
    plain = loader.model_copy(update={"class_balanced": False})
    return BatchStream(replace(data, labeled=data.val), plain, Views(), seed=0, share=share)


def _refuse_nan(values: dict[str, float], step: int) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} is {value} at step {step}: training has diverged. Try a lower "
                "training.lr, training.clip_norm=1, training.warmup_steps, or "
                "training.precision=fp32."
            )


def _refuse_nan_weights(method: Method, step: int) -> None:
    """A loss tells of them one step late: the last good checkpoint would be gone."""
    norms = torch._foreach_norm([p.detach() for p in method.parameters()])
    _refuse_nan({"a weight": float(torch.stack(norms).sum())}, step)
