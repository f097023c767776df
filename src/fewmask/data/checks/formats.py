"""Findings about how images are stored: orientation, sizes, pages, bands."""

from collections import Counter
from collections.abc import Iterator, Sequence

from PIL import ImageMode

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.sizes import in_pixels
from fewmask.data.checks.survey import ImageFacts, Survey
from fewmask.errors import listed

GRAY = ("1", "L", "P", "I", "I;16", "I;16B", "F")
"""Modes of masks, and of gray photos."""


def format_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about how images are stored."""
    images = [i for subset in survey.images.values() for i in subset if i.error is None]
    turned = [i.file for i in images if i.is_turned]
    if turned:
        what = f"{len(turned)} photo(s) are turned upright by their EXIF tag."
        yield Finding("note", what, "", names_of(turned))
    yield from _gray_among_colors(survey)
    yield from _sizes(images)
    yield from _dropped(images, survey.channels)
    yield from _bands(images)


def _gray_among_colors(survey: Survey) -> Iterator[Finding]:
    """Unlabeled images that may be masks: gray or indexed, where no labeled image is."""
    labeled, unlabeled = survey.images.get("labeled", []), survey.images.get("unlabeled", [])
    odd = [image for image in unlabeled if image.mode in GRAY and image.error is None]
    if odd and labeled and not any(image.mode in GRAY for image in labeled):
        yield Finding(
            "warning",
            f"{len(odd)} unlabeled images are gray or indexed, and all labeled ones in colors.",
            "Are they masks or maps? Move them out of the folder of the images.",
            names_of(image.file for image in odd),
        )


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


def _dropped(images: Sequence[ImageFacts], channels: int) -> Iterator[Finding]:
    """Pages and bands that are in the files, and that training does not see."""
    stacks = [image for image in images if image.pages > 1]
    if stacks:
        yield Finding(
            "warning",
            f"{len(stacks)} image(s) have several pages (first: {stacks[0].pages}), of which only "
            "the first is read.",
            "Save the page that counts as an image of its own.",
            names_of(image.file for image in stacks),
        )
    # Of files with unusual bands, nothing is dropped: `_bands` says how to train on them.
    cut = [i for i in images if channels == 3 and "bands" not in i.mode and i.bands > _read_of(i)]
    if cut:
        yield Finding(
            "warning",
            f"{len(cut)} image(s) have {cut[0].bands} bands, of which {_read_of(cut[0])} are read.",
            f"If the others count, train with model.in_channels={cut[0].bands}.",
            names_of(image.file for image in cut),
        )


def _read_of(image: ImageFacts) -> int:
    """The bands that Pillow reads of an image."""
    return len(ImageMode.getmode(image.mode).bands)


def _bands(images: Sequence[ImageFacts]) -> Iterator[Finding]:
    modes = Counter(image.mode for image in images if image.mode not in ("RGB", "L"))
    unusual = {mode: modes.pop(mode) for mode in [*modes] if mode.endswith("bands")}
    if unusual:
        most = max(unusual, key=lambda mode: unusual[mode])
        kinds = listed([mode.split()[0] for mode in unusual], 6)
        yield Finding(
            "note",
            f"{sum(unusual.values())} images have {kinds} bands, which are not colors.",
            f"Train with model.in_channels={most.split()[0]}."
            + (" Leave out the images with another number." if len(unusual) > 1 else ""),
        )
    if modes:
        kinds = listed(f"{count} {mode}" for mode, count in modes.items())
        has_fourth = any(mode in ("RGBA", "CMYK") for mode in modes)
        yield Finding(
            "note",
            f"Images that are read as plain RGB: {kinds}.",
            "If the fourth band has a meaning of its own, such as infrared, set "
            "model.in_channels=4."
            if has_fourth
            else "",
        )
