"""Notices pretrained weights that have changed since their download, by whatever cause."""

import hashlib
import re
from pathlib import Path

from fewmask.config import trust
from fewmask.errors import UserError

KIND = "digests"
"""Facts of this kind are digests of files, by the digest of their path."""


def verified(file: Path, is_new: bool) -> Path:
    """A file of weights, whose digest is what the hub states, or else what it was at first.

    The Hugging Face hub keeps a file under its SHA-256, and many a name on other servers ends with
    the first digits of it.

    Args:
        file: in a local cache.
        is_new: whether it was downloaded just now.

    Raises:
        UserError: if it has another digest.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    stated, place = _stated(file), hashlib.sha256(str(file.resolve()).encode()).hexdigest()
    if stated is None and not is_new:
        stated = trust.kept(KIND, place)
    if stated is None:
        trust.keep(KIND, place, digest)
    elif not digest.startswith(stated):
        raise UserError(
            f"The pretrained weights in {file} have changed since they were downloaded: their "
            f"SHA-256 begins with {digest[:12]} instead of {stated[:12]}. Delete the file, and it "
            "is downloaded again."
        )
    return file


def _stated(file: Path) -> str | None:
    """The digest, or the beginning of it, in the name of a file."""
    if re.fullmatch("[0-9a-f]{64}", file.resolve().name):
        return file.resolve().name
    found = re.search(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.\w+$", file.name)  # digits alone: a date
    return found[1] if found else None
