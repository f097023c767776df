"""A file is replaced as a whole, or removed when nothing is left of it."""

from fewmask.engine.sinks.rewriting import rewrite


def test_text_replaces_and_no_text_removes(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("old")
    rewrite(file, "new\n")
    assert file.read_text() == "new\n" and list(tmp_path.iterdir()) == [file]
    rewrite(file, "")
    assert not file.exists()
