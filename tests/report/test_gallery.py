"""The gallery shows the worst images first, each with its overlays."""

import numpy as np

from fewmask.data import Classes
from fewmask.evaluation.inference import InferenceConfig
from fewmask.evaluation.predictor import Predictor
from fewmask.report.gallery import worst_cases
from tests.evaluation.networks import ByColor, Samples


def test_the_worst_first_and_images_without_labels_last():
    predictor = Predictor(ByColor(), Classes("abc"), InferenceConfig(), None, "cpu")
    (worst,) = worst_cases(predictor, Samples(), np.array([80.0, 30.0]), 0, None)
    assert (worst.name, worst.miou) == ("b", 30.0) and worst.image.startswith("data:image/jpeg")
    assert [layer.name for layer in worst.layers] == ["prediction", "truth", "confidence"]
    cases = worst_cases(predictor, Samples(), np.array([np.nan, 30.0]), 5, 0.9)
    assert [case.name for case in cases] == ["b", "a"]
    assert [layer.name for layer in cases[0].layers][-1] == "pseudo-label"
    assert len({layer.picture for layer in cases[0].layers}) == 4
