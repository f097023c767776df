"""Fetches an image behind a URL."""

import hashlib
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from fewmask.data.download import download
from fewmask.data.download_bar import Limits
from fewmask.data.images import read_image
from fewmask.errors import UserError

LIMITS = Limits(bytes=512 << 20, seconds=300)
"""Of one image. Whatever is larger or slower is better downloaded by hand."""


def file_for(url: str, folder: Path) -> Path:
    """Where to keep the image of a URL. URLs that end alike have files of one name, but apart.

    Raises:
        UserError: if it is malformed.
    """
    try:
        last = unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError as error:
        raise UserError(f"Cannot download {url}: {error}. Check the URL.") from None
    # Only characters that every file system takes, and not too many.
    name = re.sub(r"[^\w.-]+", "_", last).lstrip(".")[-80:] or "image"
    return folder / hashlib.sha256(url.encode()).hexdigest()[:8] / name


def fetch_image(url: str, file: Path, channels: int = 3) -> None:
    """Downloads an image, unless the file exists.

    Args:
        url: http or https.
        file: to write, see `file_for`.
        channels: bands that it must have.

    Raises:
        UserError: if it cannot be downloaded, or is no image.
    """
    if file.is_file():
        return
    # A browser hides that spaces and umlauts must be quoted; what is quoted stays.
    download(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), file, limits=LIMITS)
    try:
        read_image(file, channels)
    except UserError:
        file.unlink()  # often a page that says what went wrong; the next call asks again
        raise UserError(
            f"What {url} sends is not an image that this network reads. If it is a page that shows "
            "the image, give the address of the image itself."
        ) from None
