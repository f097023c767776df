"""A finding in words."""

from pathlib import Path

from fewmask.data.checks.finding import Finding, names_of


def test_a_finding_shows_some_of_its_files_and_the_advice():
    found = Finding("error", "5 files are odd.", "Mend them.", names_of(map(Path, "abcde")))
    assert found.in_words() == "error: 5 files are odd.\n    files: a, b, c ...\n    Mend them."
    assert Finding("note", "All is well.", "").in_words() == "note: All is well."
