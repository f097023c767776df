"""Findings about files that cannot be read."""

from tests.data.checks.photos import check, said


def test_files_that_cannot_be_read(clean):
    image, mask = clean / "images" / "p03.png", clean / "masks" / "p04.png"
    image.write_bytes(image.read_bytes()[:500])
    mask.write_bytes(b"")
    text = said(clean)
    assert "1 labeled image(s) cannot be read" in text and "p03.png" in text
    assert "1 mask(s) of labeled images cannot be read" in text and "p04.png" in text
    assert check(clean).exit_code == 2
