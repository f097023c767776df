"""Images of other bands than red, green and blue: from the file to the prediction."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import fewmask
from fewmask.batch import normalize
from fewmask.cli.words import recipe_from_words
from fewmask.data.images import read_image
from fewmask.data.views.strong import imas_strong_view, strong_view
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.tasks import check
from tests.conftest import TINY_WORDS

WORDS = [word for word in TINY_WORDS if not word.startswith("data.")]


def write(file, image):
    if file.suffix == ".tif":
        tifffile.imwrite(file, image, photometric="minisblack", planarconfig="contig")
    else:
        Image.fromarray(image.squeeze()).save(file)


@pytest.mark.parametrize(
    ("channels", "suffix"), [(1, "png"), (4, "png"), (5, "tif"), (4, "webp"), (2, "tif")]
)
@pytest.mark.parametrize("method", ["imas", "pseudoseg"])
def test_any_number_of_bands_trains_and_predicts(channels, suffix, method, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "data/images").mkdir(parents=True)
    (tmp_path / "data/masks").mkdir()
    for i in range(8):
        image = rng.integers(0, 256, (50, 60, channels), dtype=np.uint8)
        write(tmp_path / f"data/images/{i}.{suffix}", image)
        if i < 4:
            mask = Image.fromarray((image[:, :, -1] > 128).astype(np.uint8))
            mask.save(tmp_path / f"data/masks/{i}.png")
    words = [f"data={tmp_path}/data", f"method={method}", "training.steps=2", *WORDS]
    words += ["model.encoder=test_resnet", f"model.in_channels={channels}"]
    run = fewmask.train(*words, out=tmp_path / "run")
    predictor = fewmask.load(run.folder)
    assert next(predictor.network.parameters()).shape[1] == channels
    done = fewmask.predict(run.folder, tmp_path / "data/images", tmp_path / "out")
    assert len(done.names) == 8 and not done.failures
    with Image.open(tmp_path / "out/overlays/0.jpg") as overlay:
        assert overlay.mode == "RGB" and overlay.size == (60, 50)
    with pytest.raises(UserError, match=rf"uint8 \[height, width, {channels}\]"):
        predictor.predict(np.zeros((8, 8, 3), np.uint8))


def test_bands_are_read_as_stored(tmp_path):
    values = np.arange(2 * 3 * 6, dtype=np.uint16).reshape(2, 3, 6) * 256
    write(tmp_path / "deep.tif", values)
    assert (read_image(tmp_path / "deep.tif", 6) == values // 256).all()
    planes = np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        tmp_path / "planes.tif", planes, photometric="minisblack", planarconfig="separate"
    )
    assert (read_image(tmp_path / "planes.tif", 6) == values // 256).all()
    with pytest.raises(UserError, match=r"has 6 band\(s\); model.in_channels=4"):
        read_image(tmp_path / "deep.tif", 4)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "deep.tif").read_bytes()[:60])
    with pytest.raises(UserError, match="damaged"):
        read_image(tmp_path / "cut.tif", 6)


def test_colors_keep_their_statistics_and_their_strong_view():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 5), dtype=np.uint8)
    of_five = normalize(torch.tensor(image)[None], "cpu")
    of_three = normalize(torch.tensor(image[:, :, :3])[None], "cpu")
    assert torch.equal(of_five[:, :3], of_three)
    strong = strong_view("imas", image, np.random.default_rng(3))
    expected = imas_strong_view(image[:, :, :3].copy(), np.random.default_rng(3))
    assert (strong[:, :, :3] == expected).all() and (expected != image[:, :, :3]).any()
    assert (strong[:, :, 3:] == image[:, :, 3:]).all()
    gray = np.repeat(image[:, :, :1], 3, axis=2)
    alone = strong_view("imas", image[:, :, :1], np.random.default_rng(3))
    assert (alone[:, :, 0] == imas_strong_view(gray, np.random.default_rng(3))[:, :, 0]).all()


def test_weights_made_for_rgb_fit_any_number_of_bands(tmp_path):
    rgb = create_model(ModelConfig(encoder="test_resnet"), 2).encoder
    torch.save(
        {k.removeprefix("backbone."): v for k, v in rgb.state_dict().items()}, tmp_path / "w"
    )
    config = ModelConfig(encoder="test_resnet", in_channels=4, pretrained=tmp_path / "w")
    four = create_model(config, 2).encoder
    of_three, of_four = next(rgb.parameters()), next(four.parameters())
    assert torch.allclose(of_four, of_three[:, [0, 1, 2, 0]] * 3 / 4)


def test_a_source_of_other_bands_is_told(tmp_path):
    with pytest.raises(UserError, match=r"gives images of 3 band\(s\), model.in_channels=4"):
        fewmask.train("synthetic", *TINY_WORDS, "model.in_channels=4", out=tmp_path / "run")


def test_check_names_the_bands(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for i in range(3):
        write(tmp_path / f"images/{i}.tif", np.full((9, 9, 5), 40 * i, np.uint8))
        Image.fromarray(np.full((9, 9), i % 2, np.uint8)).save(tmp_path / f"masks/{i}.png")
    said = check.check(recipe_from_words([f"data={tmp_path}"])).in_words()
    assert "3 images have 5 bands" in said and "model.in_channels=5" in said
    assert check.check(recipe_from_words([f"data={tmp_path}"])).exit_code == 2  # train would stop
    told = check.check(recipe_from_words([f"data={tmp_path}", "model.in_channels=5"]))
    assert "Training would stop" not in told.in_words()
    with pytest.raises(UserError, match=r"bands other than RGB, set model.in_channels"):
        read_image(tmp_path / "images/0.tif")
