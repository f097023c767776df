"""Findings about the numbers in masks: what stands for no class, or not for the same everywhere."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, names_of, option
from fewmask.data.checks.mask_colors import color_findings
from fewmask.data.checks.mask_meanings import meaning_findings
from fewmask.data.checks.regions import FEW_GRAYS
from fewmask.data.checks.survey import MANY_COLORS, MaskFacts, Survey
from fewmask.data.label_table import LabelTable
from fewmask.errors import listed

NO_DATA = (254, 32767, 65535, 2**31 - 1)
"""The largest values of a few types. As 255, they often mean "no label"."""
MOSTLY = 0.8
"""A property that this share of the masks have is no accident."""


def value_findings(survey: Survey, count: int | None, labels: LabelTable) -> Iterator[Finding]:
    """All findings about what masks hold.

    Args:
        survey: the facts about the files.
        count: how many classes the user has named, or None.
        labels: how mask values become labels, as far as the user has said.
    """
    masks = [m for subset in survey.masks.values() for m in subset if m.error is None]
    yield from color_findings(masks, labels)
    if not labels.palette and not any(mask.is_colored for mask in masks):
        yield from _numbers(masks, count, labels)


def _numbers(
    masks: Sequence[MaskFacts], count: int | None, labels: LabelTable
) -> Iterator[Finding]:
    values = {value for mask in masks for value in mask.values}
    if not values:
        return
    asked = values - labels.mapping.keys() - {*range(count or 1), IGNORE}
    are_many = len(asked) > MANY_COLORS and not labels.is_binary
    wrong = _too_many(masks, values) if are_many else _wrong_values(masks, count, labels)
    if wrong is not None or labels.is_binary:
        wrong = _smoothed(masks, values) or wrong
    if wrong is not None:
        yield wrong
        return
    yield from meaning_findings(masks, labels)
    yield from _numbered_objects(masks, count, labels)


def _too_many(masks: Sequence[MaskFacts], values: set[int]) -> Finding:
    return Finding(
        "error",
        f"The masks hold {len(values)} values from {min(values)} to {max(values)}.",
        "If they are numbers of objects, data.binary=true makes one class of all of them. If they "
        "are classes, name them: data.names. If edges were smoothed, export the masks again "
        "without smoothing.",
        names_of(mask.file for mask in masks),
    )


def _smoothed(masks: Sequence[MaskFacts], values: set[int]) -> Finding | None:
    """Many values between two that most pixels have: edges drawn or resized with smoothing."""
    kept = sorted(values - {IGNORE})
    low, high = min(values), max(values)
    pixels = Counter[int]()
    for mask in masks:
        pixels.update(mask.values)
    between = max((n for value, n in pixels.items() if low < value < high), default=0)
    are_ends = pixels[low] + pixels[high] > pixels.total() / 2 and pixels[high] > 5 * between
    several = [mask for mask in masks if len(mask.values) >= FEW_GRAYS]
    are_steps = sum(mask.is_smoothed for mask in several) > MOSTLY * len(several)
    are_classes = kept == [*range(len(kept))] and len(kept) <= MANY_COLORS
    if len(values) < FEW_GRAYS or are_classes or not (are_ends or are_steps):
        return None
    return Finding(
        "error",
        f"The masks hold {len(values)} values from {low} to {high}, of which those between are "
        "steps: their edges were smoothed.",
        "Export them again without smoothing: no anti-aliasing, and nearest neighbor when "
        "resizing.",
        names_of(mask.file for mask in masks if len(mask.values) > 2),
    )


def _wrong_values(
    masks: Sequence[MaskFacts], count: int | None, labels: LabelTable
) -> Finding | None:
    """Values that stand for no class, or leave gaps; `count` classes, if the user named them."""
    values = {value for mask in masks for value in mask.values}
    free = sorted(value for value in values if labels.label_of(value) == value != IGNORE)
    foreign = sorted(
        value
        for value in values
        if (label := labels.label_of(value)) is None
        or (label != IGNORE and (label >= count if count is not None else value < 0))
    )
    has_gaps = count is None and bool(free) and free != [*range(max(free) + 1)]
    # Masks of 0 and 255 usually mean background and object, not "no label".
    is_two = values == {0, IGNORE} and IGNORE not in labels.mapping and not labels.is_binary
    if not (foreign or has_gaps or is_two):
        return None
    what = f"The masks hold the values {listed(sorted(values))}"
    what += f", but there are {count} classes (0..{count - 1})." if count else "."
    if IGNORE in values and IGNORE in labels.ignore and IGNORE not in labels.mapping:
        what += " 255 counts as 'no label'."
    # Gaps of this size come from values such as 10, 20, 30, not from a class without pixels.
    is_code = has_gaps and max(free) >= 2 * len(free) + 8
    return Finding(
        "error" if foreign or is_two or is_code else "warning",
        what,
        labels.advice or _what_they_may_be(sorted(values), foreign, count, labels),
        names_of(mask.file for mask in masks if set(mask.values) & set(foreign or free or values)),
    )


def _what_they_may_be(
    values: Sequence[int], foreign: Sequence[int], count: int | None, labels: LabelTable
) -> str:
    negative = [value for value in foreign if value < 0]
    if negative:
        return (
            "Negative values usually mean 'no label': "
            f"data.ignore='{json.dumps([*negative, IGNORE])}'."
        )
    values = [value for value in values if value == IGNORE or value not in labels.ignore]
    mapping = suggested_mapping(values, count, IGNORE in labels.ignore)
    advice = f"If they are classes, set {option('label_mapping', mapping)}"
    if len(values) == 2 and values[0] == 0:
        return f"{advice}, or data.binary=true: every value above 0 is class 1."
    advice += "." if count == len(mapping) else " and name as many classes."
    if IGNORE in values and IGNORE not in mapping and count != len(mapping):
        whole = {value: label for label, value in enumerate(values)}
        advice += f" If 255 is a class, too: {option('label_mapping', whole)}."
    if count in (None, 2) and values[0] == 0:
        advice += " If all above 0 are one class: data.binary=true."
    top = values[-1]
    if IGNORE not in values and top in NO_DATA and len(values) > 2:
        advice += f" If {top} means 'no label': data.ignore='{json.dumps([top, IGNORE])}'."
    # Names for 1..K, and 0 for what nobody labeled.
    if count is not None and foreign == [count] and values[0] == 0:
        shifted = {value: value - 1 for value in range(1, count + 1)}
        advice += (
            f" If 0 means 'no label': data.ignore='{json.dumps([0, IGNORE])}' "
            f"data.label_mapping='{shifted}'."
        )
    return advice


def _numbered_objects(
    masks: Sequence[MaskFacts], count: int | None, labels: LabelTable
) -> Iterator[Finding]:
    """Masks that give each object a number of its own, as Cellpose and SAM do."""
    several = [mask for mask in masks if len(mask.values) > 2]
    numbered = [mask for mask in several if mask.has_numbered_objects]
    differ = len({max(mask.values) for mask in numbered}) > 1
    looks_so = len(numbered) >= max(2, MOSTLY * len(several)) and differ
    looks_so = looks_so or _are_two_at_most(masks) or _are_used_once(masks)
    if looks_so and count is None and not labels.mapping and not labels.is_binary:
        yield Finding(
            "warning",
            "Each value above 0 is one connected region, or is in one mask alone. Are these "
            "numbers of objects?",
            "If they are: data.binary=true makes one class of all of them. If they are classes, "
            "name them: data.names.",
            names_of(mask.file for mask in numbered or masks),
        )


def _are_two_at_most(masks: Sequence[MaskFacts]) -> bool:
    """Whether 2 is never there without 1, some masks hold 1 alone, and all are single regions."""
    shown = [mask for mask in masks if max(mask.values) > 0]
    counts = Counter(max(mask.values) for mask in shown)
    return (
        {*counts} == {1, 2}
        and min(counts.values()) > 1
        and all(mask.has_numbered_objects for mask in shown)
    )


def _are_used_once(masks: Sequence[MaskFacts]) -> bool:
    """Whether nearly every value above 0 is in one mask alone, as if objects were counted on."""
    owners = Counter(value for mask in masks for value in mask.values if 0 < value != IGNORE)
    once = sum(count == 1 for count in owners.values())
    return len(masks) > 2 and len(owners) >= FEW_GRAYS and once > MOSTLY * len(owners)


def suggested_mapping(
    values: Sequence[int], count: int | None = None, ignores_255: bool = True
) -> dict[int, int]:
    """A label_mapping that numbers the values from 0. Next to two others, 255 stays 'no label'.

    Args:
        values: of the masks, sorted.
        count: how many classes the user has named, if any.
        ignores_255: whether 255 means 'no label' so far.
    """
    # With 0 and 255 alone, or with as many names as values, 255 is a class.
    is_class = len(values) <= 2 or len(values) == count or not ignores_255
    kept = [value for value in values if value != IGNORE or is_class]
    return {value: label for label, value in enumerate(kept)}
