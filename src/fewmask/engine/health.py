"""Watches a run and gives advice: what goes wrong, what it means, what to try."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewmask.batch import StepReport
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.engine.remedies import Remedies, lower, raise_, turn_on
from fewmask.engine.wording import percent
from fewmask.errors import listed
from fewmask.evaluation import Scores

FEW_PIXELS = 0.01  # share of the unlabeled pixels
BEHIND = 5.0  # points of mIoU
KNOWN, FORGOTTEN = 10.0, 1.0  # IoU in percent
RISE = 3.0  # times the lowest loss per used pixel
SMALL_LOSS = 0.05  # a loss below it is no problem, however much it has risen
OVERCONFIDENT = 0.15  # confidence minus accuracy
COMMON, SHORT = 0.01, 5  # share of the labeled pixels; how many times less among pseudo-labels

# What to try, the most promising first; options that a method does not have are left out.
STRICTER = (raise_("method.threshold"), lower("method.keep_percent"), raise_("method.dropped"))
LOOSER = (lower("method.threshold"), raise_("method.keep_percent"))
MORE_PIXELS = (*LOOSER, lower("method.dropped"))
LONGER = "train longer (training.steps)"
GENTLER = (lower("method.unlabeled_weight"),)
BALANCED = (
    turn_on("method.supervised_loss.class_weights", "balanced"),
    turn_on("loader.class_balanced", "true"),
)
ALIGNED = (raise_("method.alignment", most=1),)
# In every class, the least sure pixels are those that belong to others.
PURER = (*ALIGNED, raise_("method.dropped"))
FASTER_TEACHER = (
    lower("method.ema_decay"),
    turn_on("method.teacher_batch_statistics", "true"),
)


class Health:
    """Gives advice after an evaluation; each advice once.

    Args:
        class_names: of the data.
        total_steps: of the run.
        remedies: the options that an advice may name.
        prior: share of each class in the labeled pixels, [K]; None for a method that reads no
            unlabeled images.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        total_steps: int,
        remedies: Remedies,
        prior: np.ndarray | None = None,
    ):
        self.class_names, self.total_steps = class_names, total_steps
        self.remedies, self.prior = remedies, prior
        self.given: set[str] = set()
        self.best_iou = np.zeros(len(class_names))
        self.seen = np.zeros(len(class_names), bool)
        self.lowest_loss = (float("inf"), float("inf"))

    def advise(
        self,
        step: int,
        report: StepReport,
        scores: Mapping[str, Scores],
        quality: PseudoQuality | None = None,
    ) -> list[str]:
        """Advice on what is wrong now and was not named before.

        Args:
            step: steps taken.
            report: the mean of the last steps.
            scores: of each network, the main one first.
            quality: of the pseudo-labels, if there are any.
        """
        # Two of these also remember what they see, so all of them are asked every time.
        found = {
            "pixels": self._few_pixels(step, report),
            "loss": self._rising_loss(step, report),
            "teacher": self._lagging_teacher(step, scores),
            "classes": self._forgotten_classes(step, scores),
        }
        # Early pseudo-labels are poor in every run.
        if quality is not None and step >= self.total_steps / 4:
            found |= {
                "wrong": self._wrong_pseudo_labels(quality),
                "shares": self._uneven_pseudo_labels(quality),
            }
        return self._new(found)

    def _new(self, found: Mapping[str, str | None]) -> list[str]:
        """What is found and was not named before."""
        new = {key: advice for key, advice in found.items() if advice and key not in self.given}
        self.given |= new.keys()
        return [f"Advice: {advice}" for advice in new.values()]

    def _few_pixels(self, step: int, report: StepReport) -> str | None:
        if report.used_pixels is None or step < self.total_steps / 4:
            return None
        used = float(report.used_pixels)
        if used >= FEW_PIXELS:
            return None
        return (
            f"only {percent(used, 1)} of the unlabeled pixels get a pseudo-label, so the unlabeled "
            f"images teach almost nothing. {self.remedies.suggest(MORE_PIXELS, LONGER)}"
        )

    def _rising_loss(self, step: int, report: StepReport) -> str | None:
        if "unlabeled" not in report.losses or not report.used_pixels:
            return None
        loss, used = float(report.losses["unlabeled"]), float(report.used_pixels)
        # A loss that grows with the number of pixels used is no problem, so it counts per pixel.
        lowest, before = self.lowest_loss
        self.lowest_loss = min(self.lowest_loss, (loss / used, loss))
        if step < self.total_steps / 2 or loss / used < RISE * lowest or loss < SMALL_LOSS:
            return None
        remedies = (*GENTLER, lower("training.lr"))
        return (
            f"the unlabeled loss has risen from {before:.3f} to {loss:.3f}: the pseudo-labels "
            "contradict the student more and more. "
            f"{self.remedies.suggest(remedies, 'use more labeled images')}"
        )

    def _lagging_teacher(self, step: int, scores: Mapping[str, Scores]) -> str | None:
        if not {"teacher", "student"} <= scores.keys() or step < self.total_steps / 2:
            return None
        gap = scores["student"].miou - scores["teacher"].miou
        if gap < BEHIND:
            return None
        return (
            f"the teacher is {gap:.1f} points of mIoU behind the student, although it should be "
            "ahead. It averages over too many steps for a run of this length. "
            f"{self.remedies.suggest(FASTER_TEACHER, LONGER)}"
        )

    def _forgotten_classes(self, step: int, scores: Mapping[str, Scores]) -> str | None:
        main = next(iter(scores.values()))
        # The IoU of a class without pixels in the validation masks says nothing about it.
        shown = main.confusion.sum(axis=1) > 0
        iou = np.where(shown, main.iou, self.best_iou)
        self.seen |= shown
        lost = self._names((self.best_iou > KNOWN) & (iou < FORGOTTEN))
        self.best_iou = np.maximum(self.best_iou, iou)
        if lost:
            return self._lost(lost)
        never = self._names(self.seen & (self.best_iou < FORGOTTEN))
        if never and step == self.total_steps:
            more = self.remedies.suggest(BALANCED, LONGER)
            return f"never learned: {listed(never)}. {more}"
        return None

    def _lost(self, names: Sequence[str]) -> str:
        more = "label more images that show what was lost"
        if self.prior is None:
            cause = "larger classes may be crowding it out"
            remedy = self.remedies.suggest(BALANCED, more)
        else:
            cause = "larger classes may be crowding it out of the pseudo-labels"
            remedy = self.remedies.suggest((*ALIGNED, *STRICTER, *BALANCED), more)
        return f"{listed(names)} was found before and is no longer found: {cause}. {remedy}"

    def _wrong_pseudo_labels(self, quality: PseudoQuality) -> str | None:
        if quality.used < FEW_PIXELS or quality.confidence - quality.accuracy < OVERCONFIDENT:
            return None
        more = "label more images like the validation images"
        return (
            f"on val, pseudo-labels have a mean confidence of {percent(quality.confidence)}, but "
            f"only {percent(quality.accuracy)} are correct, so the student learns mistakes. "
            f"{self.remedies.suggest((*STRICTER, *GENTLER), more)}"
        )

    def _uneven_pseudo_labels(self, quality: PseudoQuality) -> str | None:
        if quality.used < FEW_PIXELS or self.prior is None:
            return None
        short = (self.prior >= COMMON) & (quality.shares < self.prior / SHORT)
        if not short.any():
            return None
        # The most common of the classes that are short stands for all of them.
        worst = int(np.where(short, self.prior, -1).argmax())
        name = self.class_names[worst]
        others = [other for other in self._names(short) if other != name]
        also = f" (also: {listed(others)})" if others else ""
        more = "label more images that show what is missing"
        return (
            f"{name} has {percent(self.prior[worst], 1)} of the labeled pixels but "
            f"{percent(quality.shares[worst], 1)} of the pseudo-labels{also}: other classes are "
            f"crowding it out. {self.remedies.suggest((*PURER, *BALANCED, *LOOSER), more)}"
        )

    def _names(self, chosen: np.ndarray) -> list[str]:
        """The names of the classes that are chosen by a boolean per class."""
        return [name for name, is_so in zip(self.class_names, chosen, strict=True) if is_so]
