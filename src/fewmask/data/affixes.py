"""What tools add to the names of images and masks: p05_photo.jpg and p05_mask.png are a pair."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from string import ascii_letters
from typing import NamedTuple


class Affixes(NamedTuple):
    """Beginnings and ends of names that do not count when images are paired with masks."""

    mask_prefix: str = ""
    mask_suffix: str = ""
    image_suffix: str = ""
    image_prefix: str = ""

    def of_mask(self, stem: str) -> str | None:
        """What counts of the path of a mask, or None if it is not named as masks are."""
        folder, slash, name = stem.rpartition("/")
        if not (name.startswith(self.mask_prefix) and name.endswith(self.mask_suffix)):
            return None
        name = name.removeprefix(self.mask_prefix).removesuffix(self.mask_suffix)
        return one_form(folder + slash + name) if name else None

    def of_image(self, stem: str) -> str:
        """What counts of the path of an image."""
        folder, slash, name = stem.rpartition("/")
        name = name.removeprefix(self.image_prefix).removesuffix(self.image_suffix)
        return one_form(folder + slash + name)

    def as_options(self) -> str:
        """The options of a folder that say the same."""
        return " ".join(f"data.{name}={text}" for name, text in self._asdict().items() if text)


NO_AFFIXES = Affixes()


def one_form(name: str) -> str:
    """A name in one Unicode form: a Mac writes letters with dots as two signs."""
    return unicodedata.normalize("NFC", name)


def proposed(images: Sequence[str], masks: Sequence[str]) -> Affixes | None:
    """The affixes by which every mask belongs to an image of its own, or None.

    Args:
        images: stems of the images without a mask.
        masks: stems of the masks without an image.
    """
    if not images or not masks:
        return None
    first = masks[0]
    near = max(images, key=lambda image: len(os.path.commonprefix([image, first])))
    shared = len(os.path.commonprefix([near, first]).rstrip("_-. "))
    by_end = Affixes("", first[shared:], near[shared:])
    ends = [image for image in images if first.endswith(image)]
    candidates = [by_end] if shared else []
    candidates += [Affixes(first.removesuffix(image)) for image in ends]
    alike = max(images, key=lambda image: len(_common_end(image, first)))
    end = _common_end(alike, first)
    candidates += [Affixes(first.removesuffix(end), "", "", alike.removesuffix(end))] if end else []
    for affixes in candidates:
        meant = [affixes.of_mask(mask) for mask in masks]
        known = {affixes.of_image(image) for image in images}
        is_clear = None not in meant and len({*meant}) == len(meant)
        if affixes != NO_AFFIXES and is_clear and {*meant} <= known:
            return affixes
    return None


def folder_of(images: Sequence[str], masks: Sequence[Path]) -> Path | None:
    """The folder in which all masks have the name of an image, or None.

    Args:
        images: stems of the images without a mask.
        masks: the masks without an image.
    """
    folders = {mask.parent for mask in masks}
    are_named = {one_form(mask.stem) for mask in masks} <= {one_form(image) for image in images}
    return folders.pop() if len(folders) == 1 and are_named else None


def _common_end(one: str, other: str) -> str:
    """The end that two names share, without a part of a word: _7 of img_7 and seg_7."""
    end = os.path.commonprefix([one[::-1], other[::-1]])[::-1]
    return end if end in (one, other) else end.lstrip(ascii_letters)
