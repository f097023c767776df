"""An image behind a URL is downloaded once, within limits, and only if it is one."""

from io import BytesIO

import pytest
from PIL import Image

from fewmask.data import remote_image
from fewmask.data.download_bar import Limits
from fewmask.data.remote_image import fetch_image, file_for
from fewmask.errors import UserError
from tests.server import serving


def png(color=(0, 200, 0)):
    stream = BytesIO()
    Image.new("RGB", (6, 4), color).save(stream, "png")
    return stream.getvalue()


def test_an_image_is_fetched_once(tmp_path):
    files = {"/m%C3%BChle%201.png": png()}
    with serving(files) as url:
        address = f"{url}/mühle 1.png"
        file = file_for(address, tmp_path)
        fetch_image(address, file)
        files.clear()
        fetch_image(address, file)
    assert file.name == "mühle_1.png" and Image.open(file).getpixel((0, 0)) == (0, 200, 0)


def test_what_is_no_image_leaves_nothing(tmp_path):
    with serving({"/a.png": b"<html>Sign in</html>", "/band.png": png()}) as url:
        for name, channels in (("a.png", 3), ("band.png", 5)):
            file = file_for(f"{url}/{name}", tmp_path)
            with pytest.raises(UserError, match=f"What {url}/{name} sends is not an image"):
                fetch_image(f"{url}/{name}", file, channels)
            assert not file.exists()
        with pytest.raises(UserError, match=f"Cannot download {url}/gone.png: .*404"):
            fetch_image(f"{url}/gone.png", tmp_path / "gone.png")


def test_an_image_beyond_the_limits_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    monkeypatch.setattr(remote_image, "LIMITS", Limits(bytes=20, seconds=300))
    with serving({"/a.png": png()}) as url, pytest.raises(UserError, match="larger than 1.9"):
        fetch_image(f"{url}/a.png", file)
    monkeypatch.setattr(remote_image, "LIMITS", Limits(bytes=1 << 20, seconds=0.2))
    with (
        serving({"/a.png": png()}, pause_seconds=0.05) as url,
        pytest.raises(UserError, match="did not arrive within 0.2 seconds. Download it by hand"),
    ):
        fetch_image(f"{url}/a.png", file)
    assert not list(tmp_path.iterdir())


def test_files_have_the_names_of_their_urls_and_stay_apart(tmp_path):
    one, other = file_for("http://a/1/p.jpg?x=1", tmp_path), file_for("http://a/2/p.jpg", tmp_path)
    assert one.name == other.name == "p.jpg" and one.parent != other.parent
    for url in ("http://a", "http://a/..", "http://a/%2e%2e", "http://a/x/"):
        assert file_for(url, tmp_path).name == "image"
    file = file_for("http://a/" + 300 * "x" + "/%2Fetc%2Fp.jpg", tmp_path)
    assert file.name == "p.jpg" and file.parent.parent == tmp_path


def test_a_malformed_address_is_one_message(tmp_path):
    with pytest.raises(UserError, match="Check the URL"):
        file_for("http://[::1", tmp_path)
