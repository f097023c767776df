"""Findings about classes: masks without labels, classes that are missing or rare."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.mask_values import value_findings
from fewmask.data.checks.survey import Survey
from fewmask.data.classes import numbered
from fewmask.data.label_table import LabelTable
from fewmask.errors import listed

RARE_SHARE = 0.001
RARE_IMAGES = 3


def label_findings(
    survey: Survey, names: Sequence[str] | None, labels: LabelTable
) -> Iterator[Finding]:
    """All findings about labels.

    Args:
        survey: the facts about the files.
        names: the names of the classes, or None if the user has not named them.
        labels: how mask values become labels, as far as the user has said.
    """
    values = [*value_findings(survey, None if names is None else len(names), labels)]
    yield from values
    if not any(finding.level == "error" for finding in values):  # else classes mean nothing
        yield from _empty(survey, names, labels)
    if not values:
        yield from _classes(survey, names, labels)
        yield from _one_in_val(class_shares(survey, names, labels))


def _classes(survey: Survey, names: Sequence[str] | None, labels: LabelTable) -> Iterator[Finding]:
    shares = class_shares(survey, names, labels)
    in_val = {name for name, (_, images) in shares.get("val", {}).items() if images}
    missing, rare = [], []
    for name, (share, images) in shares["labeled"].items():
        if images == 0:
            missing.append(name)
        elif images < RARE_IMAGES or share < RARE_SHARE:
            rare.append(f"{name} ({share:.2%} of the labeled pixels, in {images} image(s))")
    scored = [name for name in missing if name in in_val]
    if names is None:  # nobody asked for the others: numbers between those of the masks
        missing = scored
    if missing and survey.masks["labeled"]:
        has_255 = any(IGNORE in mask.values for mask in survey.masks["labeled"])
        is_ignored = has_255 and not labels.palette and labels.label_of(IGNORE) == IGNORE
        yield Finding(
            "warning",
            f"No labeled image shows {listed(missing)}."
            + (f" Val shows {listed(scored)}, which will score 0." if scored else ""),
            "Label images that show them, or leave them out of data.names."
            + " (255, which the masks hold, counts as 'no label'.)" * is_ignored,
        )
    if rare:
        yield Finding(
            "warning",
            f"Rare among the labeled images: {listed(rare)}.",
            "The model will not learn them well. Label more images that show them.",
        )


def _one_in_val(shares: Mapping[str, Mapping[str, tuple[float, int]]]) -> Iterator[Finding]:
    """A single class in val, although more of them are learned."""
    in_val, learned = (
        [name for name, (_, images) in shares.get(subset, {}).items() if images]
        for subset in ("val", "labeled")
    )
    if len(in_val) == 1 and len(learned) > 1:
        yield Finding(
            "warning",
            f"The images of val show {in_val[0]} alone, so their score says little.",
            "Choose images that show all classes: data.val.",
        )


def _empty(survey: Survey, names: Sequence[str] | None, labels: LabelTable) -> Iterator[Finding]:
    """Masks without a label. Without any in val, there is nothing to score."""
    for subset, masks in survey.masks.items():
        read = [mask for mask in masks if mask.error is None]
        empty = [mask.file for mask in read if not labels_of(mask.values, labels, names)]
        if empty and len(empty) == len(masks):
            yield Finding(
                "error",
                f"No mask of a {subset} image holds a label: all pixels mean 'no label'.",
                "Is that right? data.ignore, data.label_mapping and data.palette decide it.",
                names_of(empty),
            )
        elif empty:
            yield Finding(
                "warning",
                f"{len(empty)} mask(s) of {subset} images hold no label at all.",
                "Label them, or remove them. Their images then count as unlabeled.",
                names_of(empty),
            )


def class_shares(
    survey: Survey, names: Sequence[str] | None, labels: LabelTable
) -> dict[str, dict[str, tuple[float, int]]]:
    """By subset and class: its share of the labeled pixels, and the number of images with it."""
    found = {
        subset: [labels_of(mask.values, labels, names) for mask in masks]
        for subset, masks in survey.masks.items()
    }
    top = max((label for masks in found.values() for m in masks for label in m), default=-1)
    names = names if names is not None else numbered(top + 1)
    result = {}
    for subset, masks in found.items():
        total = sum(sum(mask.values()) for mask in masks)
        result[subset] = {
            name: (
                sum(mask.get(label, 0) for mask in masks) / max(1, total),
                sum(label in mask for mask in masks),
            )
            for label, name in enumerate(names)
        }
    return result


def labels_of(
    values: Mapping[int, int], labels: LabelTable, names: Sequence[str] | None
) -> dict[int, int]:
    """Pixels by label. Values that stand for no label are left out."""
    pixels: Counter[int] = Counter()
    for value, count in values.items():
        label = labels.label_of(value)
        if label not in (None, IGNORE) and (names is None or label < len(names)):
            pixels[label] += count
    return pixels
