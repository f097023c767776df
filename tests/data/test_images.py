"""Reading images: any mode, any number of bands, 8 bits out."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from fewmask.data.images import looks_whole, read_image, resize_mask, same_aspect, to_long_side
from fewmask.errors import UserError


def test_images_and_masks_are_resized_to_a_longer_side():
    image = np.zeros((30, 60, 5), np.uint8)
    assert to_long_side(image, 20).shape == (10, 20, 5) and to_long_side(image, None) is image
    mask = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert (
        resize_mask(mask, (2, 2))
        == np.asarray(Image.fromarray(mask).resize((2, 2), Image.Resampling.NEAREST))
    ).all()


def test_a_file_that_was_cut_off_does_not_look_whole(tmp_path):
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
        assert looks_whole(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-4])
        assert not looks_whole(tmp_path / name)


def test_bands_are_read_as_stored(tmp_path):
    values = np.arange(2 * 3 * 6, dtype=np.uint16).reshape(2, 3, 6) * 256
    tifffile.imwrite(tmp_path / "deep.tif", values, photometric="minisblack", planarconfig="contig")
    assert (read_image(tmp_path / "deep.tif", 6) == values // 256).all()
    planes = np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        tmp_path / "planes.tif", planes, photometric="minisblack", planarconfig="separate"
    )
    assert (read_image(tmp_path / "planes.tif", 6) == values // 256).all()
    with pytest.raises(UserError, match=r"has 6 band\(s\), but model.in_channels=4"):
        read_image(tmp_path / "deep.tif", 4)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "deep.tif").read_bytes()[:60])
    with pytest.raises(UserError, match="damaged"):
        read_image(tmp_path / "cut.tif", 6)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I;16", "LA", "1", "P", "F"])
def test_every_kind_of_image_is_read_as_rgb(mode, suffix, tmp_path):
    gray = np.tile(np.linspace(0, 255, 40), (30, 1))
    if mode == "I;16":
        picture = Image.fromarray((gray * 257).astype(np.uint16))
    elif mode == "F":
        picture = Image.fromarray((gray / 255).astype(np.float32))
    else:
        picture = Image.fromarray(gray.astype(np.uint8)).convert(mode)
    file = tmp_path / f"image.{suffix}"
    if suffix == "webp" and mode in ("I;16", "F"):
        pytest.skip("webp files have 8 bits")
    try:
        picture.save(file)
    except (OSError, ValueError, KeyError):
        pytest.skip(f"{suffix} files cannot be {mode}")
    image = read_image(file)
    assert image.shape == (30, 40, 3) and image.dtype == np.uint8
    assert image[:, -3:].mean() > 200 > 60 > image[:, :3].mean()


def test_floats_beyond_255_are_taken_for_16_bits(tmp_path):
    Image.fromarray(np.array([[0.0, 65535.0, 25700.0]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif")[0, :, 0].tolist() == [0, 255, 100]


def test_rounding_leaves_the_shape_as_it_is():
    assert same_aspect((333, 250), (1333, 1000)) and same_aspect((3, 2), (640, 480))
    assert not same_aspect((20, 20), (40, 30)) and not same_aspect((30, 40), (40, 30))


def test_an_image_is_not_resized_beyond_the_limit():
    with pytest.raises(UserError, match="long_side=65536: it is 65536x49152 pixels, and the limit"):
        to_long_side(np.zeros((300, 400, 3), np.uint8), 65536)
