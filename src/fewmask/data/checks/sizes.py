"""Findings about masks whose size or orientation differs from their image."""

from collections.abc import Iterator

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import ImageFacts, MaskFacts, Survey
from fewmask.data.images import same_aspect

Pairs = list[tuple[ImageFacts, MaskFacts]]


def size_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about the size of masks."""
    for subset, masks in survey.masks.items():
        images = survey.images[subset]
        wrong: Pairs = []
        turned: Pairs = []
        for image, mask in zip(images, masks, strict=True):
            if image.error or mask.error or image.size == mask.size:
                continue
            if survey.resizes_masks and same_aspect(mask.size, image.size):
                continue
            is_turned = image.is_turned and image.size == mask.size[::-1]
            (turned if is_turned else wrong).append((image, mask))
        unclear = [image for image in images if masks and image.keeps_size]
        if unclear:
            yield _unclear(subset, unclear)
        if turned:
            yield _turned(turned)
        if wrong:
            yield _wrong(subset, wrong, survey.resizes_masks)


def in_pixels(size: tuple[int, int]) -> str:
    """Width and height as text."""
    return f"{size[0]}x{size[1]}"


def _unclear(subset: str, images: list[ImageFacts]) -> Finding:
    return Finding(
        "warning",
        f"{len(images)} {subset} photo(s) are turned by their EXIF tag, but keep their size. So "
        "no program can tell whether their masks were drawn on the turned photo.",
        "Inspect them. If a mask does not fit, turn it, or remove the EXIF orientation.",
        names_of(image.file for image in images),
    )


def _turned(pairs: Pairs) -> Finding:
    return Finding(
        "error",
        f"{len(pairs)} mask(s) lie on their side: the camera noted that the photo is to be turned "
        "(EXIF), and the mask was drawn on the photo as stored.",
        "Turn the masks in the same way, or remove the EXIF orientation from the photos.",
        names_of(mask.file for _, mask in pairs),
    )


def _wrong(subset: str, pairs: Pairs, resizes: bool | None) -> Finding:
    image, mask = pairs[0]
    can_resize = resizes is False and all(same_aspect(m.size, i.size) for i, m in pairs)
    return Finding(
        "error",
        f"{len(pairs)} mask(s) of {subset} images differ in size from their image: "
        f"{mask.file.name} is {in_pixels(mask.size)}, its image {in_pixels(image.size)}.",
        "Export the masks at the size of the images"
        + (", or have them resized: data.resize_masks=true." if can_resize else "."),
        names_of(mask.file for _, mask in pairs),
    )
