"""Findings about files that cannot be read, or whose format is not read."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import ImageFacts, MaskFacts, Survey
from fewmask.data.images import IMAGE_SUFFIXES

MOST_REASONS = 4
"""This many reasons are told; rarer ones are counted."""


def readability_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about files that cannot be read."""
    if survey.unread:
        kinds = ", ".join(sorted({file.suffix for file in survey.unread}))
        yield Finding(
            "warning",
            f"{len(survey.unread)} file(s) are not read because of their kind or name ({kinds}). "
            "They are left out.",
            f"Save them in one of these formats: {', '.join(IMAGE_SUFFIXES)}.",
            names_of(survey.unread),
        )
    for subset, images in survey.images.items():
        for reason, files in _by_reason(images).items():
            yield Finding(
                "error",
                f"{len(files)} {subset} image(s) cannot be read: {reason}.",
                "Replace the file(s), or remove them from the data.",
                files,
            )
    for subset, masks in survey.masks.items():
        for reason, files in _by_reason(masks).items():
            yield Finding(
                "error",
                f"{len(files)} mask(s) of {subset} images cannot be read: {reason}.",
                "Correct the mask(s), or remove them. Their images then count as unlabeled."
                if "data." not in reason
                else "",  # the reason names the option
                files,
            )


def _by_reason(facts: Sequence[ImageFacts] | Sequence[MaskFacts]) -> dict[str, tuple[str, ...]]:
    files = defaultdict(list)
    for one in facts:
        if one.error is not None:
            files[one.error].append(str(one.file))
    rare = sorted(files, key=lambda reason: -len(files[reason]))[MOST_REASONS:]
    if len(rare) > 1:
        others = [file for reason in rare for file in files.pop(reason)]
        files[f"for {len(rare)} other reasons (the first: {rare[0]})"] = others
    return {reason: tuple(these) for reason, these in files.items()}
