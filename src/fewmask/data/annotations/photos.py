"""The photos that an export is about. Some formats leave to them how large they are."""

import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath

from PIL import ExifTags, Image

from fewmask.data.affixes import one_form
from fewmask.data.image_files import files_below
from fewmask.data.images import IMAGE_SUFFIXES
from fewmask.errors import UserError

GIVE = "Give the folder of the photos: --images FOLDER."


class Photos:
    """The photos below a folder. It is read when the first one is looked for."""

    def __init__(self, folder: Path, masks: Path):
        """Looks in a folder, but not in one for masks that lies in it."""
        self.folder, self.masks = folder.resolve(), masks.resolve()

    def find(self, stem: str) -> str:
        """The path of a photo below the folder, without its suffix.

        Args:
            stem: a path in the export, without its suffix. Photos of the same name are told apart
                by the folders above them.

        Raises:
            UserError: if there is no such photo, or several may be meant.
        """
        path = PurePosixPath(one_form(stem))
        named = self._by_name.get(path.name) or self._by_name.get(_tidy(path.name), [])
        alike = [len(os.path.commonprefix([_upwards(one), _upwards(path)])) for one in named]
        best = [one for one, shared in zip(named, alike, strict=True) if shared == max(alike)]
        best = [one for one in best if one.parent == path.parent] or best
        if not best:
            raise UserError(f"There is no photo of the name '{stem}' in {self.folder}. {GIVE}")
        if len(best) > 1:
            raise UserError(
                f"'{stem}' may be {best[0]} or {best[1]} in {self.folder}. {GIVE[:-1]} that holds "
                "only one of them."
            )
        return best[0].as_posix()

    def size(self, stem: str) -> tuple[int, int]:
        """Width and height of a photo, upright; the argument and errors of `find`."""
        return upright_size(self._files[self.find(stem)])

    @cached_property
    def _files(self) -> dict[str, Path]:
        if not self.folder.is_dir():
            raise UserError(f"There is no folder {self.folder}. {GIVE}")
        is_inside = self.masks != self.folder and self.masks.is_relative_to(self.folder)
        return {
            file.relative_to(self.folder).with_suffix("").as_posix(): file
            for file in files_below(self.folder)
            if file.suffix.lower() in IMAGE_SUFFIXES
            and not (is_inside and file.is_relative_to(self.masks))
        }

    @cached_property
    def _by_name(self) -> dict[str, list[PurePosixPath]]:
        found: dict[str, list[PurePosixPath]] = {}
        for stem in self._files:
            path = PurePosixPath(stem)
            for name in {one_form(path.name), _tidy(one_form(path.name))}:
                found.setdefault(name, []).append(path)
        return found


def _upwards(path: PurePosixPath) -> list[str]:
    """The folders above a file, the nearest first. That one holds images tells nothing."""
    return [one_form(part) for part in path.parent.parts[::-1] if part != "images"]


def _tidy(name: str) -> str:
    """A name as Label Studio stores an upload: without blanks and signs."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def upright_size(file: Path) -> tuple[int, int]:
    """Width and height of an image, turned as its EXIF tag says.

    Raises:
        UserError: if the file is damaged or not an image.
    """
    try:
        if not file.is_file():
            raise OSError("it is not a file")
        with Image.open(file) as picture:
            width, height = picture.size
            is_turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"Cannot read the size of image {file}: {error}. Replace it.") from None
    return (height, width) if is_turned else (width, height)
