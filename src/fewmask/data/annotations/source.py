"""An export as the user names it, with what the user says about it."""

from functools import cached_property
from pathlib import Path
from typing import Any

from fewmask.atomic import parse_json, read_text
from fewmask.data.annotations.photos import Photos


class Source:
    """A file or a folder of a labeling tool, and the photos that it is about."""

    def __init__(self, path: Path, images: Path | None, out: Path, attribute: str = ""):
        """Arguments as in `import_masks`."""
        self.path, self.attribute = path, attribute
        self.names_photos = images is not None
        """Whether masks take their folders from the photos."""
        self.photos = Photos(images or _photos_of(path), out)

    @cached_property
    def json(self) -> Any:
        """What a .json file holds; None for folders and other files."""
        if self.path.is_dir() or self.path.suffix.lower() != ".json":
            return None
        if not self.path.is_file():
            raise ValueError("it is not a file")
        return parse_json(read_text(self.path, "utf-8-sig"))


def _photos_of(path: Path) -> Path:
    """The folder in which the photos of an export usually lie."""
    folder = path.resolve()
    if not folder.is_dir() or folder.name == "labels":
        folder = folder.parent
    return folder / "images" if (folder / "images").is_dir() else folder
