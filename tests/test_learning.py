"""Learning itself."""

import json

import pytest

import fewmask
from tests.conftest import TINY_WORDS


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    ["supervised", "mean_teacher", "fixmatch", "fewmatch", "unimatch", "unimatch_v2"],
)
def test_methods_fit_their_labeled_images(method, tmp_path):
    words = (f"method={method}", "training.steps=120", "training.lr=0.01", "data.labeled=2")
    run = fewmask.train(
        "synthetic", *TINY_WORDS, *words, "training.evaluate_every=120", out=tmp_path / "run"
    )
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss_labeled"] for line in lines]
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])
