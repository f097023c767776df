"""A row of a paper's table: methods compared on several labeled lists, and the published scores."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from fewmask.methods import title_of
from fewmask.report.comparison import Comparison, mean_std

Published = Mapping[str, Sequence[float | None]]
"""By method, the published mIoU for each list; None where there is none."""


def list_table(comparisons: Mapping[str, Comparison], published: Published) -> Table:
    """For each method its last and best mIoU on every list, then the published ones.

    Args:
        comparisons: by the name of the list, all of the same methods.
        published: by method, in the order of the lists.
    """
    table = Table(title="mIoU on val in %, by labeled list", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in comparisons:
        table.add_column(name, justify="right", no_wrap=True)
    for rows in zip(*(one.rows for one in comparisons.values()), strict=True):
        last = [mean_std([score.miou for score in row.scores]) for row in rows]
        best = [mean_std([score.best for score in row.scores]) for row in rows]
        table.add_row(f"{rows[0].title}, last", *last)
        table.add_row(f"{rows[0].title}, best", *best)
        scores = published.get(rows[0].method, ())
        if any(score is not None for score in scores):
            cells = ["" if score is None else f"{score:.2f}" for score in scores]
            table.add_row(f"{title_of(rows[0].method)}, published", *cells)
    return table
