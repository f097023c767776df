"""Two runs that the tests of the run folder share."""

import pytest

import fewmask
from tests.data.trees import tree
from tests.program import SMALL


@pytest.fixture(scope="package")
def two_runs(tmp_path_factory):
    """Two short runs on CamVid's format with lists of one size, but not the same images."""
    folder = tmp_path_factory.mktemp("runs")
    root = tree("camvid", folder / "data")
    (folder / "other.txt").write_text("train_1\ntrain_3\n")
    for name, labeled in (("a", "2"), ("b", folder / "other.txt")):
        words = (
            "data=camvid", f"data.root={root}", f"data.labeled={labeled}", "method=imas",
            "model.encoder=test_resnet", "model.decoder.channels=8", *SMALL, "training.steps=4",
            "training.evaluate_every=2",
        )  # fmt: skip
        fewmask.train(*words, out=folder / name)
    return folder
