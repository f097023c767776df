"""All findings about files together."""

from tests.data.checks.photos import check


def test_a_clean_folder(clean):
    found = check(clean, "data.names=[ground, house]")
    assert found.exit_code == 0 and found.findings == []
    assert found.shares["labeled"]["house"] == (375 / 1200, 12)
    assert "12 labeled, 4 unlabeled, 4 val images" in found.in_words()
