"""Findings about labels: values that stand for no class, colors, empty masks, rare classes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fewmask.batch import IGNORE
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import MANY_COLORS, MaskFacts, Survey
from fewmask.data.classes import numbered
from fewmask.data.label_table import LabelTable

RARE_SHARE = 0.001
RARE_IMAGES = 3
COMMON_SHARE = 0.1


def label_findings(
    survey: Survey, names: Sequence[str] | None, labels: LabelTable
) -> Iterator[Finding]:
    """All findings about labels.

    Args:
        survey: the facts about the files.
        names: the names of the classes, or None if the user has not named them.
        labels: how mask values become labels, as far as the user has said.
    """
    unfit = [*_unfit(survey)]
    yield from unfit
    if not unfit:  # the values of such masks mean nothing
        yield from _values(survey, names, labels)
        yield from _classes(survey, names, labels)


def _unfit(survey: Survey) -> Iterator[Finding]:
    masks = [m for subset in survey.masks.values() for m in subset if m.error is None]
    smeared = [m for m in masks if m.file.suffix.lower() in (".jpg", ".jpeg")]
    if smeared:
        yield Finding(
            "error",
            f"{len(smeared)} mask(s) are JPEG files, which change values near every edge.",
            "Export them as PNG.",
            names_of(mask.file for mask in smeared),
        )
    odd = [m for m in masks if m not in smeared and m.mode in ("F", "LA", "La", "PA")]
    if odd:
        yield Finding(
            "error",
            f"{len(odd)} mask(s) hold fractions or transparency (mode {odd[0].mode}).",
            "Save them as 8-bit gray PNG.",
            names_of(mask.file for mask in odd),
        )


def _values(survey: Survey, names: Sequence[str] | None, labels: LabelTable) -> Iterator[Finding]:
    masks = [m for subset in survey.masks.values() for m in subset if m.error is None]
    colored = [mask for mask in masks if mask.is_colored]
    if labels.palette:
        yield from _unknown_colors(masks, labels)
    elif colored:
        yield _color_finding(colored)
    else:
        yield from _wrong_values(masks, None if names is None else len(names), labels)


def _unknown_colors(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    unknown = {value for mask in masks for value in mask.values if value not in labels.palette}
    if unknown:
        yield Finding(
            "error",
            f"The masks hold {len(unknown)} color(s) that data.palette does not name: "
            f"{_colors(unknown)}.",
            "Add them to data.palette (255: no label). If there are many such colors, the masks "
            "were smoothed or saved as JPEG. Export the masks as PNG, without smoothing.",
            names_of(mask.file for mask in masks if set(mask.values) & unknown),
        )


def _wrong_values(
    masks: Sequence[MaskFacts], count: int | None, labels: LabelTable
) -> Iterator[Finding]:
    """Values that stand for no class, or leave gaps; `count` classes, if the user named them."""
    values = {value for mask in masks for value in mask.values}
    free = sorted(values - labels.mapping.keys() - {*labels.ignore})
    foreign = [v for v in free if v > IGNORE or (count is not None and v >= count)]
    has_gaps = count is None and bool(free) and free != [*range(max(free) + 1)]
    # Masks of 0 and 255 usually mean background and object, not "no label".
    is_binary = values == {0, IGNORE} and IGNORE not in labels.mapping
    if not (foreign or has_gaps or is_binary):
        return
    what = f"The masks hold the values {_listed(sorted(values))}"
    what += f", but there are {count} classes (0..{count - 1})." if count else "."
    if IGNORE in values and IGNORE in labels.ignore:
        what += " 255 counts as 'no label'."
    yield Finding(
        "error" if foreign else "warning",
        what,
        f"If they are classes, set data.label_mapping='{suggested_mapping(sorted(values))}'"
        + (" and name as many classes." if count else "."),
        names_of(mask.file for mask in masks if set(mask.values) & set(foreign or free or values)),
    )


def _color_finding(masks: list[MaskFacts]) -> Finding:
    pixels: Counter[int] = Counter()
    for mask in masks:
        pixels.update(mask.values)
    files = names_of(mask.file for mask in masks)
    if len(pixels) > MANY_COLORS:
        return Finding(
            "error",
            f"{len(masks)} mask(s) hold {len(pixels)} colors. They are photos or overlays, or they "
            "were smoothed or saved as JPEG.",
            "Export masks with one number or one color per class, as PNG, without smoothing.",
            files,
        )
    return Finding(
        "error",
        f"{len(masks)} mask(s) use {len(pixels)} colors as classes.",
        "Say which color is which class, for example "
        f"data.palette='{json.dumps(suggested_palette(pixels))}' (255: no label).",
        files,
    )


def suggested_mapping(values: Sequence[int]) -> dict[int, int]:
    """A label_mapping that numbers the values from 0. Next to two others, 255 stays 'no label'."""
    # With 0 and 255 alone, 255 is the object.
    kept = [v for v in values if v != IGNORE] if len(values) > 2 else list(values)
    return {value: label for label, value in enumerate(kept)}


def suggested_palette(pixels: Counter[int]) -> dict[str, int]:
    """A palette that numbers the colors from the most to the least common."""
    return {f"#{color:06x}": label for label, (color, _) in enumerate(pixels.most_common())}


def _classes(survey: Survey, names: Sequence[str] | None, labels: LabelTable) -> Iterator[Finding]:
    shares = class_shares(survey, names, labels)
    masks = [m for subset in survey.masks.values() for m in subset if m.error is None]
    empty = [m.file for m in masks if not _labels_of(m.values, labels, names)]
    if empty:
        yield Finding(
            "warning",
            f"{len(empty)} mask(s) hold no label at all.",
            "Label them, or remove them. Their images then count as unlabeled.",
            names_of(empty),
        )
    for name, (share, images) in shares["labeled"].items():
        if images == 0:
            in_val = shares.get("val", {}).get(name, (0, 0))[1]
            where = " It is in val, so it will score 0." if in_val else ""
            yield Finding(
                "warning",
                f"Class '{name}' is in no labeled image.{where}",
                "Label images that show it, or leave the class out of data.names.",
            )
        elif images < RARE_IMAGES or share < RARE_SHARE:
            yield Finding(
                "warning",
                f"Class '{name}' is {'rare' if share < COMMON_SHARE else 'in few images'}: "
                f"{share:.2%} of the labeled pixels, in {images} image(s).",
                "The model will not learn it well. Label more images that show it.",
            )


def class_shares(
    survey: Survey, names: Sequence[str] | None, labels: LabelTable
) -> dict[str, dict[str, tuple[float, int]]]:
    """By subset and class: its share of the labeled pixels, and the number of images with it."""
    found = {
        subset: [_labels_of(mask.values, labels, names) for mask in masks]
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


def _labels_of(
    values: Mapping[int, int], labels: LabelTable, names: Sequence[str] | None
) -> dict[int, int]:
    """Pixels by label. Values that stand for no label are left out."""
    pixels: Counter[int] = Counter()
    for value, count in values.items():
        if labels.palette:
            label = labels.palette.get(value, IGNORE)
        else:
            ignored = IGNORE if value in labels.ignore else value
            label = labels.mapping.get(value, ignored)
        if label != IGNORE and label < (len(names) if names is not None else IGNORE):
            pixels[label] += count
    return pixels


def _listed(values: Sequence[object], most: int = 12) -> str:
    return ", ".join(map(str, values[:most])) + (" ..." if len(values) > most else "")


def _colors(colors: Iterable[int]) -> str:
    return _listed([f"#{c:06x}" for c in sorted(colors)], 6)
