"""Findings about how images are stored: orientation, sizes, depth, bands."""

from collections import Counter
from collections.abc import Iterator, Sequence

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.sizes import in_pixels
from fewmask.data.checks.survey import ImageFacts, Survey

DARK = 2**13
"""16-bit numbers that stay below this come out in less than 32 of 256 grays."""


def format_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about how images are stored."""
    images = [i for subset in survey.images.values() for i in subset if i.error is None]
    turned = [i.file for i in images if i.is_turned]
    if turned:
        what = f"{len(turned)} photo(s) are turned upright by their EXIF tag."
        yield Finding("note", what, "", names_of(turned))
    yield from _sizes(images)
    yield from _dark(images)
    yield from _bands(images)


def _sizes(images: Sequence[ImageFacts]) -> Iterator[Finding]:
    sizes = dict.fromkeys(image.size for image in images)  # of equal areas, the first one is named
    if len(sizes) > 1:
        areas = sorted(sizes, key=lambda size: size[0] * size[1])
        differ = areas[-1][0] * areas[-1][1] > 4 * areas[0][0] * areas[0][1]
        yield Finding(
            "note",
            f"The images have {len(sizes)} sizes, from {in_pixels(areas[0])} to "
            f"{in_pixels(areas[-1])}.",
            "Set data.long_side to bring them to one scale." if differ else "",
        )


def _dark(images: Sequence[ImageFacts]) -> Iterator[Finding]:
    dark = [i for i in images if i.largest is not None and i.largest <= DARK]
    if dark:
        most = max(i.largest or 0 for i in dark)
        yield Finding(
            "warning",
            f"{len(dark)} image(s) hold 16-bit numbers, but none above {most}. Their lower 8 bits "
            "are dropped, so they come out almost black.",
            f"Stretch all of them to 0..65535 first (multiply by {65536 // (most + 1)}), or "
            "save them with 8 bits.",
            names_of(i.file for i in dark),
        )


def _bands(images: Sequence[ImageFacts]) -> Iterator[Finding]:
    modes = Counter(image.mode for image in images if image.mode not in ("RGB", "L"))
    for mode in [mode for mode in modes if mode.endswith("bands")]:
        yield Finding(
            "note",
            f"{modes.pop(mode)} images have {mode}, which are not colors.",
            f"Train with model.in_channels={mode.split()[0]}.",
        )
    if modes:
        listed = ", ".join(f"{count} {mode}" for mode, count in modes.items())
        has_fourth = any(mode in ("RGBA", "CMYK") for mode in modes)
        yield Finding(
            "note",
            f"Images that are read as plain RGB: {listed}.",
            "If the fourth band has a meaning of its own, such as infrared, set "
            "model.in_channels=4."
            if has_fourth
            else "",
        )
