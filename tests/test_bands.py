"""Images of other bands than red, green and blue: from the file to the prediction."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import fewmask
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
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
    words += ["model.encoder=test_resnet", "model.pretrained=false"]
    words += [f"model.in_channels={channels}"]
    run = fewmask.train(*words, out=tmp_path / "run")
    predictor = fewmask.load(run.folder)
    assert next(predictor.network.parameters()).shape[1] == channels
    done = fewmask.predict(run.folder, tmp_path / "data/images", tmp_path / "out")
    assert len(done.names) == 8 and not done.failures
    with Image.open(tmp_path / "out/overlays/0.jpg") as overlay:
        assert overlay.mode == "RGB" and overlay.size == (60, 50)
    with pytest.raises(UserError, match=rf"uint8 \[height, width, {channels}\]"):
        predictor.predict(np.zeros((8, 8, 3), np.uint8))


def test_weights_made_for_rgb_fit_any_number_of_bands(tmp_path):
    rgb = create_model(ModelConfig(encoder="test_resnet", pretrained=False), 2).encoder
    torch.save(
        {k.removeprefix("backbone."): v for k, v in rgb.state_dict().items()}, tmp_path / "w"
    )
    config = ModelConfig(encoder="test_resnet", in_channels=4, pretrained=tmp_path / "w")
    four = create_model(config, 2).encoder
    of_three, of_four = next(rgb.parameters()), next(four.parameters())
    assert torch.allclose(of_four, of_three[:, [0, 1, 2, 0]] * 3 / 4)


def test_a_source_of_other_bands_is_told(tmp_path):
    with pytest.raises(UserError, match=r"gives images of 3 band\(s\), but model.in_channels=4"):
        fewmask.train("synthetic", *TINY_WORDS, "model.in_channels=4", out=tmp_path / "run")
