"""Refuses places that cannot be written to, before anything is computed for them."""

from pathlib import Path

from fewmask.errors import UserError


def require_folder(out: Path) -> None:
    """Makes sure that a path is a folder, or can become one.

    Raises:
        UserError: if it is a file, or lies in one.
    """
    for place in (out, *out.parents):
        if place.exists() and not place.is_dir():
            raise UserError(f"--out={out}: {place} is a file. Give a folder, new or existing.")


def require_page(out: Path) -> None:
    """Makes sure that a path can become an HTML page.

    Raises:
        UserError: if it is a folder, lies in a file, or has the name of another kind of file.
    """
    if out.is_dir():
        raise UserError(f"--out={out} is a folder. Give a file, such as {out / 'page.html'}.")
    # A photo or a table that is named by mistake must not be replaced.
    if out.suffix.lower() not in (".html", ".htm"):
        better = out.with_suffix(".html")
        raise UserError(f"--out={out}: the report is an HTML page. Give a name such as {better}.")
    require_folder(out.parent)
