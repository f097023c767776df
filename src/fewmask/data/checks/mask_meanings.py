"""Findings about masks that may not mean the same by the same number."""

import json
from collections.abc import Iterator, Sequence

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import MaskFacts
from fewmask.data.label_table import LabelTable
from fewmask.errors import listed


def meaning_findings(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """All findings about numbers that stand for classes, but perhaps not for the right ones.

    Args:
        masks: that could be read, without colors.
        labels: how their values become labels, as far as the user has said.
    """
    yield from _object_or_nothing(masks, labels)
    yield from _joined(masks, labels)
    yield from _largest_in_binary(masks, labels)
    yield from _counted_from_1(masks, labels)


def _object_or_nothing(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """Masks of 0 and 255 beside masks in which 255 does not occur: two ways to say 'object'?"""
    if labels.label_of(IGNORE) != IGNORE or IGNORE in labels.mapping:
        return
    has_255 = [mask for mask in masks if IGNORE in mask.values]
    merged = [mask for mask in has_255 if mask.mode == "folder" and len(mask.values) > 2]
    two = [mask for mask in has_255 if {*mask.values} == {0, IGNORE}]
    others = [mask for mask in masks if IGNORE not in mask.values and len(mask.values) > 1]
    # A border round objects is 255, too, but takes fewer pixels than objects do.
    both = [mask for mask in has_255 if {*mask.values} != {0, IGNORE}]
    if not merged and both and _share_of_255(two) < 3 * _share_of_255(both):
        return
    if merged or (two and (others or both)):
        values = sorted({value for mask in [*others, *both] for value in mask.values})
        mapping = {value: value for value in values} | {IGNORE: 1}
        yield Finding(
            "error",
            f"{len(merged)} mask(s) are of files with 255 and with other values above 0. Is 255 an "
            "object there?"
            if merged
            else f"{len(two)} mask(s) hold 0 and 255, {len(others) + len(both)} others hold "
            f"{listed(values)}. Is 255 the object there?",
            f"If it is: data.label_mapping='{mapping}'. If it means 'no label': "
            f"data.label_mapping='{ {IGNORE: IGNORE} }'.",
            names_of(mask.file for mask in merged or two),
        )


def _share_of_255(masks: Sequence[MaskFacts]) -> float:
    """The mean share of the pixels with this value."""
    shares = [mask.values[IGNORE] / sum(mask.values.values()) for mask in masks]
    return sum(shares) / max(1, len(shares))


def _joined(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """Values that nobody mapped, and that join the class of a value that somebody did map."""
    if labels.is_binary:  # all of them were asked to join
        return
    values = sorted({value for mask in masks for value in mask.values})
    mapped = {labels.mapping[value]: value for value in values if value in labels.mapping}
    for value in values:
        label = labels.label_of(value)
        if value not in labels.mapping and label in mapped and label != IGNORE:
            yield Finding(
                "error",
                f"The values {value} and {mapped[label]} both become class {label}, but "
                f"data.label_mapping does not name {value}.",
                f"Say what {value} is: data.ignore='{json.dumps([value, IGNORE])}' if it means 'no "
                f"label', or {value}: {label} in data.label_mapping.",
                names_of(mask.file for mask in masks if value in mask.values),
            )


def _largest_in_binary(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """255 beside other values above 0: all are objects by `data.binary`, or is it "no label"?"""
    values = {value for mask in masks for value in mask.values}
    for top in (IGNORE, 2**16 - 1):
        is_asked = labels.is_binary and top not in {*labels.mapping, *labels.ignore}
        both = [mask for mask in masks if top in mask.values and len({*mask.values} - {0}) > 1]
        if is_asked and both and top - 1 not in values:  # which objects that are counted have
            yield Finding(
                "warning",
                f"{len(both)} mask(s) hold {top} and other values above 0. With data.binary, all "
                "are class 1.",
                f"If {top} means 'no label': data.ignore='[{top}]'. If it is an object, too: "
                f"data.label_mapping='{ {top: 1} }'.",
                names_of(mask.file for mask in both),
            )


def _counted_from_1(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """Masks of 1..K beside masks of 0..K-1: the same classes, counted in two ways?"""
    shown = [(mask, {*mask.values} - {IGNORE}) for mask in masks]
    with_0 = [values for _, values in shown if 0 in values]
    others = [(mask, values) for mask, values in shown if values and 0 not in values]
    if len(with_0) < 2 or len(others) < 2:
        return
    last = max(set.union(*with_0))
    tops = [mask for mask, values in others if max(values) == last + 1]
    is_shifted = all(1 in values and max(values) <= last + 1 for _, values in others)
    if last > 0 and is_shifted and 2 * len(tops) > len(others) and 0 not in labels.mapping:
        yield Finding(
            "warning",
            f"{len(with_0)} masks hold values from 0 to {last}, {len(others)} others from 1 to "
            f"{last + 1}. Are their classes counted in two ways?",
            "If they are, export them alike. If not, say so in data.label_mapping: "
            f"data.label_mapping='{ {value: value for value in range(last + 2)} }'.",
            names_of(mask.file for mask, _ in others),
        )
