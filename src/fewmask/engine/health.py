"""Watches a run and says in plain words what goes wrong with it, and what to try."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores

FEW_PIXELS = 0.01
BEHIND = 5.0  # points of mIoU
KNOWN, FORGOTTEN = 10.0, 1.0  # IoU in percent
RISE = 3.0
OVERSURE = 0.15  # confidence minus accuracy
COMMON, SHORT = 0.01, 5  # share of the labeled pixels; how many times less among pseudo-labels


class Health:
    """Looks at each evaluation; each advice is given once.

    Args:
        class_names: of the data.
        total_steps: of the run.
        prior: share of each class in the labeled pixels, [K]; only needed with pseudo-labels.
    """

    def __init__(
        self, class_names: Sequence[str], total_steps: int, prior: np.ndarray | None = None
    ):
        self.class_names, self.total_steps = class_names, total_steps
        self.prior = np.zeros(len(class_names)) if prior is None else prior
        self.said: set[str] = set()
        self.best_iou = np.zeros(len(class_names))
        self.seen = np.zeros(len(class_names), bool)
        self.lowest_loss = (float("inf"), float("inf"))

    def look(
        self,
        step: int,
        values: Mapping[str, float],
        scores: Mapping[str, Scores],
        quality: PseudoQuality | None = None,
    ) -> list[str]:
        """Advice for what is seen now and was not said before.

        Args:
            step: steps done.
            values: what was logged last, by name.
            scores: of each network, the main one first.
            quality: of the pseudo-labels, if there are any.
        """
        found = {
            "pixels": self._few_pixels(step, values),
            "loss": self._rising_loss(step, values),
            "teacher": self._lagging_teacher(step, scores),
            "classes": self._forgotten_classes(step, scores),
        }
        if quality is not None and step >= self.total_steps / 4:
            found |= {
                "wrong": _wrong_pseudo_labels(quality),
                "shares": self._uneven_pseudo_labels(quality),
            }
        new = {key: advice for key, advice in found.items() if advice and key not in self.said}
        self.said |= new.keys()
        return [f"Advice: {advice}" for advice in new.values()]

    def _uneven_pseudo_labels(self, quality: PseudoQuality) -> str | None:
        if quality.used < FEW_PIXELS:
            return None
        rows = zip(self.class_names, quality.shares, self.prior, strict=True)
        missing = [(n, s, p) for n, s, p in rows if p >= COMMON and s < p / SHORT]
        if not missing:
            return None
        name, share, prior = max(missing, key=lambda row: row[2])
        others = f" (also: {', '.join(n for n, *_ in missing if n != name)})"
        return (
            f"{name} is {prior:.1%} of the labeled pixels but {share:.1%} of the pseudo-labels"
            + others * (len(missing) > 1)
            + ": larger classes push it out. Try method.supervised_loss.class_weights=balanced, "
            "loader.class_balanced=true, or another method.threshold."
        )

    def _few_pixels(self, step: int, values: Mapping[str, float]) -> str | None:
        used = values.get("used_pixels")
        if used is None or used >= FEW_PIXELS or step < self.total_steps / 4:
            return None
        return (
            f"only {used:.1%} of the unlabeled pixels are sure enough to be used, so the unlabeled "
            "images teach next to nothing. Lower method.threshold, or train longer."
        )

    def _rising_loss(self, step: int, values: Mapping[str, float]) -> str | None:
        loss, used = values.get("loss_unlabeled"), values.get("used_pixels")
        if loss is None or not used:
            return None
        lowest, before = self.lowest_loss  # per used pixel: while more are used, the sum grows
        self.lowest_loss = min(self.lowest_loss, (loss / used, loss))
        if step < self.total_steps / 2 or loss / used < RISE * lowest or loss < 0.05:
            return None
        return (
            f"the unlabeled loss has risen from {before:.3f} to {loss:.3f}: the pseudo-labels move "
            "away from what the student believes. Lower method.unlabeled_weight or training.lr."
        )

    def _lagging_teacher(self, step: int, scores: Mapping[str, Scores]) -> str | None:
        if not {"teacher", "student"} <= scores.keys() or step < self.total_steps / 2:
            return None
        gap = scores["student"].miou - scores["teacher"].miou
        if gap < BEHIND:
            return None
        return (
            f"the teacher is {gap:.1f} points behind the student it should lead. The run is short "
            "for its averaging: lower method.ema_decay, or set method.teacher_batch_statistics."
        )

    def _forgotten_classes(self, step: int, scores: Mapping[str, Scores]) -> str | None:
        main = next(iter(scores.values()))
        shown = main.confusion.sum(axis=1) > 0  # of a class that val does not show nothing is known
        iou = np.where(shown, main.iou, self.best_iou)
        self.seen |= shown
        lost = [
            name
            for name, before, now in zip(self.class_names, self.best_iou, iou, strict=True)
            if before > KNOWN and now < FORGOTTEN
        ]
        self.best_iou = np.maximum(self.best_iou, iou)
        if lost:
            return (
                f"{', '.join(lost)} was known before and is no longer found: larger classes may "
                "swallow it in the pseudo-labels. Raise method.threshold, or label more of it."
            )
        unknown = self.seen & (self.best_iou < FORGOTTEN)
        never = [name for name, is_so in zip(self.class_names, unknown, strict=True) if is_so]
        if never and step == self.total_steps:
            return f"never learned: {', '.join(never)}. Train longer, or label more of it."
        return None


def _wrong_pseudo_labels(quality: PseudoQuality) -> str | None:
    if quality.used < FEW_PIXELS or quality.confidence - quality.accuracy < OVERSURE:
        return None
    return (
        f"on val the pseudo-labels are {quality.confidence:.0%} sure and {quality.accuracy:.0%} "
        "right: mistakes are being taught. Raise method.threshold, lower method.unlabeled_weight, "
        "or label more images like those in val."
    )
