"""Findings about the size and orientation of masks."""

from PIL import Image

from tests.data.checks.photos import check, said


def test_masks_of_another_size_and_masks_that_lie_on_their_side(clean):
    Image.new("L", (20, 15)).save(clean / "masks" / "p01.png")
    photo = Image.open(clean / "images" / "p02.png").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    (clean / "images" / "p02.png").unlink()
    photo.rotate(0).save(clean / "images" / "p02.jpg", exif=exif)
    Image.new("L", photo.size).save(clean / "masks" / "p02.png")
    text = said(clean)
    assert "p01.png is 20x15, its image 40x30" in text
    assert "1 mask(s) lie on their side" in text and "1 photo(s) are turned upright" in text


def test_photos_turned_without_a_change_of_size_are_to_be_inspected(clean):
    exif = Image.Exif()
    exif[0x0112] = 3
    photo = Image.open(clean / "images" / "p02.png")
    (clean / "images" / "p02.png").unlink()
    photo.save(clean / "images" / "p02.jpg", exif=exif)
    assert "1 labeled photo(s) are turned by their EXIF tag, but keep their size" in said(clean)
    assert check(clean).exit_code == 1


def test_masks_of_the_same_shape_can_be_resized(clean):
    Image.new("L", (20, 15)).save(clean / "masks" / "p01.png")
    assert "data.resize_masks=true" in said(clean)
    assert "differ in size" not in said(clean, "data.resize_masks=true")
    Image.new("L", (20, 20)).save(clean / "masks" / "p02.png")
    assert "p02.png is 20x20" in said(clean, "data.resize_masks=true")
    assert "data.resize_masks" not in said(clean)
