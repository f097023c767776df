"""What the papers' ablations leave out or replace: switches of a method, off by default."""

from fewmask.methods.ablations import gta, imas, pcr, pseudoseg
from fewmask.methods.ablations.row import Row

__all__ = ["ROWS_OF", "Row"]

ROWS_OF: dict[str, tuple[Row, ...]] = {
    "imas": imas.ROWS,
    "pseudoseg": pseudoseg.ROWS,
    "gta": gta.ROWS,
    "pcr": pcr.ROWS,
}
"""The rows of each paper's ablations, by method."""
