"""The lines that a run prints, in words."""

from collections.abc import Mapping

from fewmask.batch import StepReport
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores

MOST_LOSSES = 2
"""Losses that a progress line has room for."""


def percent(share: float, digits: int = 0) -> str:
    """A share of 0..1 as a percentage."""
    return f"{100 * share:.{digits}f} %"


def progress(report: StepReport, lr: float, images_per_second: float, gib: float | None) -> str:
    """How training goes: losses, pixels with a pseudo-label, learning rate, speed, memory.

    Args:
        report: the mean of the last steps.
        lr: the encoder's learning rate.
        images_per_second: of all processes together.
        gib: peak memory of the GPU; None on a CPU.
    """
    losses = list(report.losses.items())[:MOST_LOSSES]
    shown = ["loss " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses)] if losses else []
    if report.used_pixels is not None:
        shown.append(f"pseudo-labels {percent(float(report.used_pixels))}")
    shown += [f"lr {lr:.2g}", f"{images_per_second:.1f} images/s"]
    if gib is not None:
        shown.append(f"{gib:.1f} GiB")
    return "  ".join(shown)


def evaluation(scores: Mapping[str, Scores], best: Mapping[str, float]) -> str:
    """The mIoU of each network, now and at its best."""
    return "val mIoU  " + "  ".join(
        f"{name} {s.miou:.2f} (best {best[name]:.2f})" for name, s in scores.items()
    )


def pseudo_labels(quality: PseudoQuality) -> str:
    """How good the pseudo-labels are on the validation images."""
    if quality.used == 0:
        return "on val, no pixel gets a pseudo-label"
    return (
        f"on val, pseudo-labels cover {percent(quality.used)} of pixels; "
        f"{percent(quality.accuracy, 1)} are correct; "
        f"mean confidence {percent(quality.confidence, 1)}"
    )
