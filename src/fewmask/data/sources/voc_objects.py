"""The classes of the objects in VOC's annotations, which also tell of images without a mask.

Annotations/2007_000032.xml     <annotation><object><name>aeroplane</name> ...
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from fewmask.atomic import read_text
from fewmask.errors import UserError, did_you_mean


def object_classes(file: Path, names: Sequence[str]) -> list[str]:
    """The classes that an image shows, in the order of `names`.

    Args:
        file: the annotation of the image. Objects that are marked as difficult count, too.
        names: of all classes.

    Raises:
        UserError: for a damaged file, or an object of another class.
    """
    try:
        root = ElementTree.fromstring(read_text(file))
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise UserError(
            f"The annotation {file} cannot be read ({error}). Take it from VOC again, or remove it."
        ) from None
    found = {(name.text or "").strip() for name in root.iterfind("object/name")}
    for name in sorted(found - {*names}):
        raise UserError(
            f"The annotation {file} names an object '{name[:100]}'. {did_you_mean(name, names)}"
        )
    return [name for name in names if name in found]
