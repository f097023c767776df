"""Findings about the colors of masks: palettes that differ, colors in place of numbers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fewmask.data.checks.finding import Finding, names_of, option
from fewmask.data.checks.survey import MANY_COLORS, MaskFacts
from fewmask.data.label_table import LabelTable
from fewmask.errors import listed

NEAR = 4
"""Colors that differ by no more in red, green and blue look the same."""
ONE_NUMBER = ("1", "L", "P", "I", "I;16", "I;16B", "F", "npy", "npz", "mat", "folder")
"""Modes of masks that hold one number per pixel. In RGB, gray is a color among others."""


def color_findings(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """All findings about the colors of masks.

    Args:
        masks: that could be read.
        labels: how their values become labels, as far as the user has said.
    """
    colored = [mask for mask in masks if mask.is_colored]
    if labels.palette:
        yield from _unknown_colors(masks, labels)
    elif colored and any(mask.mode in ONE_NUMBER for mask in masks):
        yield _some_colored(colored, masks)
    elif colored:
        yield _colored(masks)
    else:
        yield from _inverted(masks)
        yield from _palettes(masks, labels)


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


def _some_colored(colored: Sequence[MaskFacts], masks: Sequence[MaskFacts]) -> Finding:
    return Finding(
        "error",
        f"{len(colored)} of {len(masks)} masks are in colors (mode {colored[0].mode}), the others "
        "hold one number per pixel (palette or gray).",
        "Export all of them in the same way.",
        names_of(mask.file for mask in colored),
    )


def _colored(masks: Sequence[MaskFacts]) -> Finding:
    """Masks in colors, some of which may happen to show gray alone."""
    pixels = color_counts(masks)
    files = names_of(mask.file for mask in masks if mask.is_colored)
    if len(pixels) > MANY_COLORS:
        return Finding(
            "error",
            f"{len(files)} mask(s) hold {len(pixels)} colors. They are photos or overlays, or they "
            "were smoothed or saved as JPEG.",
            "Export masks with one number or one color per class, as PNG, without smoothing.",
            files,
        )
    palette = suggested_palette(pixels)
    are_near = len({*palette.values()}) < len(palette)
    return Finding(
        "error",
        f"{len(files)} mask(s) use {len(pixels)} colors as classes.",
        "Say which color is which class, for example with "
        f"{option('palette', palette)} (255: no label). The numbers here go by how common a color "
        "is; yours go by your names."
        + (" Colors that are nearly the same have one number here." if are_near else ""),
        files,
    )


def _inverted(masks: Sequence[MaskFacts]) -> Iterator[Finding]:
    inverted = [mask for mask in masks if mask.is_inverted]
    if inverted:
        yield Finding(
            "error",
            f"{len(inverted)} of {len(masks)} masks are stored inverted (0 is white, "
            "MinIsWhite). Programs differ in how they read such files.",
            "Export all masks as PNG.",
            names_of(mask.file for mask in inverted),
        )


def _palettes(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """Numbers that have one color here and another one there."""
    seen: dict[int, dict[int, MaskFacts]] = defaultdict(dict)
    yield from _beside_numbers(masks, labels)
    has_gray_palette = any(mask.mode == "P" and _is_gray(mask.palette) for mask in masks)
    for mask in masks:
        colors = mask.palette
        # Beside numbers without colors, a palette of grays may be a way to store the same numbers.
        if has_gray_palette and mask.mode == "L":
            colors = {number: number * 0x010101 for number in mask.values}
        for number, color in colors.items():
            seen[number].setdefault(color, mask)
    for number, by_color in sorted(seen.items()):
        if len(by_color) > 1 and number not in labels.mapping:
            (one, here), (other, there), *_ = by_color.items()
            yield Finding(
                "error",
                f"The palettes of the masks differ: {number} is #{one:06x} in {here.file.name}, "
                f"#{other:06x} in {there.file.name}.",
                "If the colors are the classes, set data.palette, for example "
                f"{option('palette', suggested_palette(color_counts(masks)), False)}. If the "
                f"numbers are, say so: {option('label_mapping', _identity(seen), False)}.",
                names_of(mask.file for mask in by_color.values()),
            )
            return


def _beside_numbers(masks: Sequence[MaskFacts], labels: LabelTable) -> Iterator[Finding]:
    """Palettes of colors beside numbers without colors, which may be others."""
    paletted = [mask for mask in masks if mask.palette and not _is_gray(mask.palette)]
    plain = {n for mask in masks if mask.mode in ("L", "I;16", "I") for n in mask.values}
    both = sorted({n for mask in paletted for n in mask.palette} & plain - {0, *labels.mapping})
    # Masks that are not the user's own are those of a published data set, whose numbers are known.
    if both and not labels.is_binary and not labels.advice:
        colors = (mask.palette[both[0]] for mask in paletted if both[0] in mask.palette)
        yield Finding(
            "warning",
            f"{len(paletted)} of {len(masks)} masks have palettes of colors, the others hold "
            f"numbers alone. Is {both[0]}, #{next(colors):06x} there, the same class everywhere?",
            f"If it is, say so: {option('label_mapping', _identity({0, *both}), False)}. If not, "
            "export all masks in the same way.",
            names_of(mask.file for mask in paletted),
        )


def _is_gray(palette: Mapping[int, int]) -> bool:
    return bool(palette) and all(color % 0x010101 == 0 for color in palette.values())


def color_counts(masks: Sequence[MaskFacts]) -> Counter[int]:
    """The pixels of each color 0xRRGGBB. A number without a color is a gray."""
    pixels: Counter[int] = Counter()
    for mask in masks:
        for value, count in mask.values.items():
            gray = value * 0x010101 & 0xFFFFFF
            pixels[value if mask.is_colored else mask.palette.get(value, gray)] += count
    return pixels


def suggested_palette(pixels: Counter[int]) -> dict[str, int]:
    """A palette that numbers the colors from the most to the least common.

    A color that is nearly that of a more common one gets its number: a slip of a brush.
    """
    labels: dict[int, int] = {}
    for color, _ in pixels.most_common():
        near = (label for other, label in labels.items() if _are_near(color, other))
        labels[color] = next(near, len({*labels.values()}))
    return {f"#{color:06x}": label for color, label in labels.items()}


def _are_near(one: int, other: int) -> bool:
    # Grays may be numbers: 0, 1, 2; and so may what one channel holds, as simulators write it.
    for bits in (0x010101, 0x010000, 0x000100, 0x000001):
        if all(color % bits == 0 and color // bits < MANY_COLORS for color in (one, other)):
            return False
    if one % 0x010101 == 0 and other % 0x010101 == 0:
        return False
    return all(abs((one >> bits & 255) - (other >> bits & 255)) <= NEAR for bits in (0, 8, 16))


def _identity(numbers: Iterable[int]) -> dict[int, int]:
    return {number: number for number in sorted(numbers)}


def _colors(colors: Iterable[int]) -> str:
    return listed([f"#{c:06x}" for c in sorted(colors)], 6)
