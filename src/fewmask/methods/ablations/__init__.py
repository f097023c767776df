"""What the papers' ablations leave out or replace: switches of a method, off by default."""

from fewmask.methods.ablations import gta, pcr
from fewmask.methods.ablations.row import Row

__all__ = ["ROWS_OF", "Row"]

ROWS_OF: dict[str, tuple[Row, ...]] = {
    "gta": gta.ROWS,
    "pcr": pcr.ROWS,
}
"""The rows of each paper's ablations, by method."""
