"""A form of a network is scored on val, weighed and timed."""

import numpy as np
import pytest

from fewmask.evaluation import EvaluationConfig, evaluate
from fewmask.evaluation.export.scoring import made_up_image, score
from tests.evaluation.export.conftest import photos
from tests.evaluation.networks import ByColor, Samples


def test_a_form_is_scored_weighed_and_timed(tmp_path):
    (tmp_path / "x").write_bytes(b"0" * 500_000)
    config, image = EvaluationConfig(), photos(1, 8, 8)[0]
    found = score("x", ByColor(), tmp_path / "x", Samples(), config, 3, image)
    assert found.miou == pytest.approx(evaluate(ByColor(), Samples(), 3, config).miou)
    assert found.megabytes == 0.5 and found.milliseconds > 0
    unknown = score("x", ByColor(), tmp_path / "x", None, config, 3, image)
    assert np.isnan(unknown.miou)


def test_a_made_up_image_has_bands_that_differ_and_is_the_same_every_time():
    image = made_up_image(4)
    assert image.shape == (240, 320, 4) and image.dtype == np.uint8
    assert (image == made_up_image(4)).all() and image[..., 0].std() > 20
    assert (image[..., 0] != image[..., 3]).any()
