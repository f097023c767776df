"""Findings about images that are there twice, or almost."""

from collections import defaultdict
from collections.abc import Iterator

from fewmask.data.checks.finding import Finding, names_of
from fewmask.data.checks.survey import ImageFacts, Survey, near_pairs

NEAR_BITS = 3
"""Images whose 64-bit appearance differs in at most this many bits are near-duplicates."""

Pairs = list[tuple[ImageFacts, ImageFacts]]


def duplicate_findings(survey: Survey) -> Iterator[Finding]:
    """All findings about equal and similar images."""
    same = _same_files(survey)
    for (one, other), pairs in same.items():
        yield _duplicates(one, other, pairs)
    # Equal files are reported already.
    exact = {image.content for pairs in same.values() for _, image in pairs}
    val = [i for i in survey.images.get("val", []) if not i.error and i.content not in exact]
    near = near_pairs([i for i in survey.images["labeled"] if not i.error], val, NEAR_BITS)
    if near:
        yield Finding(
            "warning",
            f"{len(near)} val image(s) look almost like a labeled image ({near[0][1].file.name}, "
            f"{near[0][0].file.name}): frames of one video, or copies at another quality.",
            "Scores will be too good. Take the val images from other places, days or videos.",
            names_of(image.file for _, image in near),
        )


def _same_files(survey: Survey) -> dict[tuple[str, str], Pairs]:
    """Pairs of equal files, by the subsets of the two."""
    first: dict[bytes, tuple[str, ImageFacts]] = {}
    same: dict[tuple[str, str], Pairs] = defaultdict(list)
    for subset, images in survey.images.items():
        for image in images:
            if image.error is None:
                before = first.setdefault(image.content, (subset, image))
                if before[1] is not image:
                    same[before[0], subset].append((before[1], image))
    return same


def _duplicates(one: str, other: str, pairs: Pairs) -> Finding:
    is_leak = "val" in (one, other) and one != other
    return Finding(
        "error" if is_leak else "warning",
        f"{len(pairs)} {other} image(s) are the same files as {one} ones"
        f" ({pairs[0][1].file.name} = {pairs[0][0].file.name}).",
        "Scores on images that were trained on are meaningless. Take them out of one of the sets."
        if is_leak
        else "Remove one of each.",
        names_of(image.file for _, image in pairs),
    )
