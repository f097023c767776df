"""Findings about files: unreadable, without a partner, of another size, the same twice."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import ImageFacts, MaskFacts, Survey, near_pairs
from fewmask.data.images import IMAGE_SUFFIXES

NEAR_BITS = 3
"""Looks that differ in at most so many of 64 bits are near-duplicates."""
FEW_LABELED = 8
DARK = 2**13
"""16-bit numbers that stay below this come out in less than 32 of 256 grays."""


def file_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about files."""
    yield from _unreadable(survey)
    yield from _pairing(survey)
    yield from _sizes(survey)
    yield from _duplicates(survey)
    yield from _oddities(survey)


def _unreadable(survey: Survey) -> Iterator[Finding]:
    if survey.unread:
        kinds = ", ".join(sorted({file.suffix for file in survey.unread}))
        yield Finding(
            "warning",
            f"{len(survey.unread)} picture(s) are of kinds that are not read ({kinds}) and are "
            "left out.",
            f"Save them as one of {', '.join(IMAGE_SUFFIXES)}.",
            names_of(survey.unread),
        )
    for part, images in survey.images.items():
        for reason, files in _by_reason(images).items():
            yield Finding(
                "error",
                f"{len(files)} {part} image(s) cannot be read: {reason}.",
                "Replace the file(s), or remove them from the data.",
                files,
            )
    for part, masks in survey.masks.items():
        for reason, files in _by_reason(masks).items():
            yield Finding(
                "error",
                f"{len(files)} mask(s) of {part} images cannot be read: {reason}.",
                "Export the mask(s) again, or remove them: their images then count as unlabeled.",
                files,
            )


def _by_reason(facts: Sequence[ImageFacts] | Sequence[MaskFacts]) -> dict[str, tuple[str, ...]]:
    files = defaultdict(list)
    for one in facts:
        if one.error is not None:
            files[one.error].append(str(one.file))
    return {reason: tuple(these) for reason, these in files.items()}


def _pairing(survey: Survey) -> Iterator[Finding]:
    owners = defaultdict(list)
    for part, masks in survey.masks.items():
        for image, mask in zip(survey.images[part], masks, strict=True):
            owners[mask.file].append(image.file)
    for mask_file, images in owners.items():
        if len(images) > 1:
            yield Finding(
                "error",
                f"{len(images)} images have one stem, and one mask is theirs: {mask_file.name}.",
                "Rename all but one of the images.",
                names_of(images),
            )
    labeled, unlabeled = survey.images["labeled"], survey.images["unlabeled"]
    if survey.lone:
        stems = [facts.file.stem for facts in (*unlabeled, *labeled)]
        lone = survey.lone[0].stem
        near = [stem for stem in stems if stem in lone or lone in stem]
        near = near or difflib.get_close_matches(lone, stems, n=1, cutoff=0.6)
        hint = f" ({survey.lone[0].name} may belong to an image named {near[0]}.)" if near else ""
        yield Finding(
            "error",
            f"{len(survey.lone)} mask(s) belong to no image.{hint}",
            "A mask has its image's name, but for the suffix. Rename them, add the images, or "
            "remove the masks.",
            names_of(survey.lone),
        )
    if not labeled:
        yield Finding(
            "error",
            "No image has a mask.",
            "Put masks where data.masks says, each with its image's name.",
        )
    elif len(labeled) < FEW_LABELED:
        yield Finding(
            "warning",
            f"Only {len(labeled)} image(s) have a mask.",
            f"Scores and models from fewer than {FEW_LABELED} are mostly chance; label some more.",
        )
    if labeled and not unlabeled:
        yield Finding(
            "warning",
            "There are no unlabeled images.",
            "Add images without masks, or train with method=supervised.",
        )


def _sizes(survey: Survey) -> Iterator[Finding]:
    for part, masks in survey.masks.items():
        images = survey.images[part]
        wrong: list[tuple[ImageFacts, MaskFacts]] = []
        turned: list[tuple[ImageFacts, MaskFacts]] = []
        unclear = [image.file for image in images if masks and image.keeps_size]
        for image, mask in zip(images, masks, strict=True):
            if image.error or mask.error or image.size == mask.size:
                continue
            is_turned = image.is_turned and image.size == mask.size[::-1]
            (turned if is_turned else wrong).append((image, mask))
        if unclear:
            yield Finding(
                "warning",
                f"{len(unclear)} {part} photo(s) are turned by their EXIF tag, but keep their "
                "size: no program can see whether their masks were drawn on the turned photo.",
                "Look at them. If a mask lies wrong, turn it, or remove the EXIF orientation.",
                names_of(unclear),
            )
        if turned:
            yield Finding(
                "error",
                f"{len(turned)} mask(s) lie on their side: the camera noted that the photo is to "
                "be turned (EXIF), and the mask was drawn on the photo as stored.",
                "Turn the masks likewise, or remove the EXIF orientation from the photos.",
                names_of(mask.file for _, mask in turned),
            )
        if wrong:
            image, mask = wrong[0]
            yield Finding(
                "error",
                f"{len(wrong)} mask(s) of {part} images have another size than their image; "
                f"{mask.file.name} is {_size(mask.size)}, its image {_size(image.size)}.",
                "Export the masks at the size of the images.",
                names_of(mask.file for _, mask in wrong),
            )


def _duplicates(survey: Survey) -> Iterator[Finding]:
    first: dict[bytes, tuple[str, ImageFacts]] = {}
    same: dict[tuple[str, str], list[tuple[ImageFacts, ImageFacts]]] = defaultdict(list)
    for part, images in survey.images.items():
        for image in images:
            if image.error is None:
                before = first.setdefault(image.content, (part, image))
                if before[1] is not image:
                    same[before[0], part].append((before[1], image))
    for (one, other), pairs in same.items():
        leak = "val" in (one, other) and one != other
        yield Finding(
            "error" if leak else "warning",
            f"{len(pairs)} {other} image(s) are the same file as a {one} image"
            + (f" ({pairs[0][1].file.name} = {pairs[0][0].file.name})."),
            "Scores on images that are trained on say nothing; take them out of one of the sets."
            if leak
            else "Remove one of each.",
            names_of(image.file for _, image in pairs),
        )
    exact = {image.content for pairs in same.values() for _, image in pairs}
    val = [i for i in survey.images.get("val", []) if not i.error and i.content not in exact]
    near = near_pairs([i for i in survey.images["labeled"] if not i.error], val, NEAR_BITS)
    if near:
        yield Finding(
            "warning",
            f"{len(near)} val image(s) look almost like a labeled image ({near[0][1].file.name}, "
            f"{near[0][0].file.name}): frames of one video, or copies at another quality.",
            "Scores will be too good. Take val from other places, days or videos.",
            names_of(image.file for _, image in near),
        )


def _oddities(survey: Survey) -> Iterator[Finding]:
    images = [i for part in survey.images.values() for i in part if i.error is None]
    turned = [i.file for i in images if i.is_turned]
    if turned:
        yield Finding(
            "note",
            f"{len(turned)} photo(s) are turned upright by their EXIF tag.",
            "",
            names_of(turned),
        )
    sizes = Counter(image.size for image in images)
    if len(sizes) > 1:
        areas = sorted(sizes, key=lambda size: size[0] * size[1])
        large = areas[-1][0] * areas[-1][1] > 4 * areas[0][0] * areas[0][1]
        yield Finding(
            "note",
            f"The images have {len(sizes)} sizes, from {_size(areas[0])} to {_size(areas[-1])}.",
            "Set data.long_side to bring them to one scale." if large else "",
        )
    dark = [i for i in images if i.deepest is not None and i.deepest <= DARK]
    if dark:
        most = max(i.deepest or 0 for i in dark)
        yield Finding(
            "warning",
            f"{len(dark)} image(s) hold 16-bit numbers, but none above {most}. Their lower 8 bits "
            "are dropped, so they come out almost black.",
            f"Stretch all of them alike to 0..65535 first (multiply by {65536 // (most + 1)}), or "
            "save them with 8 bits.",
            names_of([i.file for i in dark]),
        )
    modes = Counter(image.mode for image in images if image.mode not in ("RGB", "L"))
    many = [mode for mode in modes if mode.endswith("bands")]
    for mode in many:
        yield Finding(
            "note",
            f"{modes.pop(mode)} images have {mode}, which are no colors.",
            f"Train with model.in_channels={mode.split()[0]}.",
        )
    if modes:
        listed = ", ".join(f"{count} {mode}" for mode, count in modes.items())
        four = [mode for mode in modes if mode in ("RGBA", "CMYK")]
        yield Finding(
            "note",
            f"Images that are read as plain RGB: {listed}.",
            "If the fourth band is one of its own, such as infrared: model.in_channels=4."
            if four
            else "",
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
