"""What `fewmask check` found in a data set, for people and for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fewmask.data.checks.finding import Finding
from fewmask.data.checks.survey import Survey
from fewmask.data.sources.folder import Folder

MOST_CLASSES = 20
"""The table shows this many classes, those with the most pixels."""
BAR = 40
"""Characters of the bar for a class that covers all pixels."""


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    survey: Survey
    findings: list[Finding]
    shares: dict[str, dict[str, tuple[float, int]]]
    """By subset and class: share of the labeled pixels, and number of images."""
    config: Folder.Config | None
    """The settings of the folder that was checked; None for a published data set."""
    is_in_doubt: bool = False
    """Whether nobody knows yet what the values in the masks mean. Then classes are not counted."""

    @property
    def exit_code(self) -> int:
        """0 without findings, 1 with warnings, 2 with errors."""
        levels = {finding.level for finding in self.findings}
        return 2 if "error" in levels else 1 if "warning" in levels else 0

    def in_words(self) -> str:
        """The whole report for people."""
        counts = {subset: len(images) for subset, images in self.survey.images.items()}
        images = ", ".join(f"{count} {subset}" for subset, count in counts.items() if count)
        lines = [f"{images} images", *self._class_lines()]
        for finding in self.findings:
            lines += ["", finding.in_words()]
        levels = Counter(finding.level for finding in self.findings)
        lines += ["", f"{levels['error']} error(s), {levels['warning']} warning(s)."]
        return "\n".join(line.rstrip() for line in lines)

    def _class_lines(self) -> Iterator[str]:
        """A small bar chart of the classes for each subset with masks."""
        for subset, classes in self.shares.items():
            # A finding names classes without an image, in one line.
            shown = {name: found for name, found in classes.items() if found[1]}
            if not shown or self.is_in_doubt:
                continue
            yield ""
            yield f"classes in {subset} images: share of the pixels, images"
            largest = sorted(shown, key=lambda name: -shown[name][0])[:MOST_CLASSES]
            width = max(len(name) for name in largest)
            for name in [name for name in shown if name in largest]:
                share, images = shown[name]
                yield f"    {name:{width}} {share:7.2%} {images:6}  {'#' * round(BAR * share)}"
            if len(shown) > len(largest):
                yield f"    and {len(shown) - len(largest)} smaller classes (--json shows all)"

    def as_dict(self) -> dict[str, Any]:
        """The whole report for programs."""
        return {
            "images": {subset: len(images) for subset, images in self.survey.images.items()},
            "classes": {
                subset: {
                    name: {"share": share, "images": images}
                    for name, (share, images) in classes.items()
                }
                for subset, classes in self.shares.items()
            },
            "findings": [finding._asdict() for finding in self.findings],
            "exit_code": self.exit_code,
        }
