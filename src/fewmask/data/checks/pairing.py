"""Findings about which image has which mask."""

import difflib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fewmask.data.affixes import folder_of, proposed
from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import Survey

FEW_LABELED = 8


def pairing_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about pairs of image and mask."""
    yield from _shared_masks(survey)
    if survey.unpaired:
        yield _unpaired_masks(survey)
    labeled, unlabeled = survey.images["labeled"], survey.images["unlabeled"]
    if not labeled and not survey.unpaired:
        yield Finding(
            "error",
            "No image has a mask.",
            "Put the masks in the folder masks/ (or set data.masks), named like their images.",
        )
    elif 0 < len(labeled) < FEW_LABELED:
        yield Finding(
            "warning",
            f"Only {len(labeled)} image(s) to train on have a mask.",
            f"With fewer than {FEW_LABELED}, scores depend mostly on chance. Label more.",
        )
    if labeled and not unlabeled:
        yield Finding(
            "warning",
            "There are no unlabeled images.",
            "Add images without masks, or train with method=supervised.",
        )


def _shared_masks(survey: Survey) -> Iterator[Finding]:
    # One image in two sets is another matter, so each counts once.
    owners: dict[Path, dict[Path, None]] = defaultdict(dict)
    for subset, masks in survey.masks.items():
        for image, mask in zip(survey.images[subset], masks, strict=True):
            owners[mask.file][image.file] = None
    for mask_file, images in owners.items():
        if len(images) > 1:
            yield Finding(
                "error",
                f"{len(images)} images have one stem and share one mask: {mask_file.name}.",
                "Rename all but one of the images.",
                names_of(images),
            )


def _unpaired_masks(survey: Survey) -> Finding:
    free = [facts.file.stem for facts in survey.images["unlabeled"]]
    options, which = "", "All of them"
    if not survey.images["labeled"]:  # else they would unpair the others
        place = survey.unpaired[0].parent
        here = [file.stem for file in survey.unpaired if file.parent == place]
        affixes = proposed(free, [file.stem for file in survey.unpaired])
        folder = folder_of(free, survey.unpaired)
        if affixes is None and folder is None:  # a folder for val has masks of its own
            affixes, which = proposed(free, here), f"Those in {place}"
        options = affixes.as_options() if affixes else f"data.masks={folder}" if folder else ""
    return Finding(
        "error",
        f"{len(survey.unpaired)} mask(s) belong to no image.{'' if options else _hint(survey)}",
        f"{which} are paired with {options}."
        if options
        else "A mask must have the same name as its image, apart from the extension. Rename the "
        "masks, add the images, or remove the masks.",
        names_of(survey.unpaired),
    )


def _hint(survey: Survey) -> str:
    """The image that the first of the masks may belong to."""
    images = (*survey.images["unlabeled"], *survey.images["labeled"])
    stems = [facts.file.stem for facts in images]
    first = survey.unpaired[0]
    # Tools add to a name (p05_mask); people mistype it.
    near = [stem for stem in stems if stem in first.stem or first.stem in stem]
    near = near or difflib.get_close_matches(first.stem, stems, n=1, cutoff=0.6)
    same = [stem for stem in stems if stem.casefold() == first.stem.casefold()]
    if first.stem in same:
        return f" ({first.name} has the name of an image in another subfolder.)"
    if same:
        return f" ({first.name} is named like {same[0]}, but for upper and lower case.)"
    return f" ({first.name} may belong to an image named {near[0]}.)" if near else ""
