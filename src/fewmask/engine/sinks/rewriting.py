"""How a file of a run folder loses the lines of steps that a resumed run takes again."""

from pathlib import Path

from fewmask import atomic


def rewrite(file: Path, text: str) -> None:
    """Replaces the text of a file, or removes the file if there is no text left."""
    if text:
        atomic.write_text(file, text)
    else:
        # A file without a header would never get one: a header is written into new files only.
        file.unlink()
