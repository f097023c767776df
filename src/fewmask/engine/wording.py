"""The lines that a run prints, in words."""

from collections.abc import Mapping
from pathlib import Path

from fewmask.batch import StepReport
from fewmask.engine.pseudo_quality import PseudoQuality
from fewmask.evaluation import Scores

MOST_LOSSES = 2
"""Losses that a progress line has room for."""
LONG = 3600.0
"""Seconds from which a run is called long."""


def duration(seconds: float) -> str:
    """Such as `42 s`, `4 min 10 s`, `1 h 20 min`, `94 h`: as exact as one wants to know it."""
    unit = 1 if seconds < 600 else 60 if seconds < 36_000 else 3600
    whole = unit * round(seconds / unit)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{number:,} {name}" for number, name in parts if number) or "0 s"


def long_run(steps: int, seconds_each: float, device: str, runs: int = 1) -> str | None:
    """Says that a run takes long, and what would shorten it; None if it does not take long.

    Args:
        steps: of the run.
        seconds_each: seconds of a step.
        device: cpu, cuda or mps.
        runs: how many such runs there will be.
    """
    seconds = steps * seconds_each
    if seconds * runs <= LONG:
        return None
    word = "CPU" if device == "cpu" else "GPU"
    all_runs = f"; {runs} such runs, about {duration(runs * seconds)}" if runs > 1 else ""
    fewer = _round_number(LONG / runs / seconds_each)
    spent = duration(runs * fewer * seconds_each)
    return (
        f"This will take long: {steps:,} steps take about {duration(seconds)} on this {word}"
        f"{all_runs}. Evaluations are not counted. To shorten it, try training.steps={fewer} "
        f"(about {spent}), a smaller loader.crop, or a smaller model.encoder."
    )


def _round_number(number: float) -> int:
    """Two digits and zeros, not above a number; at least 1."""
    whole = max(1, int(number))
    zeros: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // zeros * zeros


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


def stopped(step: int, steps: int, folder: Path) -> str:
    """How to continue a run that a signal has stopped."""
    return (
        f"Stopped after step {step} of {steps}. Everything is saved. To continue: fewmask train "
        f"--resume {folder}"
    )


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
