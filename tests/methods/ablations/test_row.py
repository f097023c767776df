"""The rows of the ablation tables are words that a command understands."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.methods.ablations import ROWS_OF, Row

ROWS = [(name, row) for name, rows in ROWS_OF.items() for row in rows]


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{n}: {row.title}" for n, row in ROWS])
def test_every_row_changes_options_of_its_method(name: str, row: Row):
    plain = recipe_from_words(["synthetic", f"method={name}"]).method
    changed = recipe_from_words(["synthetic", f"method={name}", *row.words]).method
    assert type(changed) is type(plain)
    assert (changed == plain) == (not row.words)


def test_the_first_row_is_the_method_itself_and_no_two_rows_are_the_same():
    for rows in ROWS_OF.values():
        assert rows[0].words == ()
        assert len({row.title for row in rows}) == len({row.words for row in rows}) == len(rows)
