"""A folder of predictions knows whose they are, and what is still missing."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fewmask.data import Classes
from fewmask.errors import UserError
from fewmask.evaluation.inference import InferenceConfig
from fewmask.evaluation.predictor import Prediction, Predictor
from fewmask.report.prediction_folder import Job, PredictionFolder, origin_of


def predictor(weight):
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, weight)
    nn.init.zeros_(network.bias)
    return Predictor(network, Classes("ab"), InferenceConfig(), None, "cpu")


@pytest.fixture
def job(tmp_path):
    image = np.full((4, 6, 3), 50, np.uint8)
    Image.fromarray(image).save(tmp_path / "p.png")
    return Job(tmp_path / "p.png", "p", image)


def prediction():
    probs = torch.full((2, 4, 6), 0.5)
    probs[1, :, 3:], probs[0, :, 3:] = 0.9, 0.1
    return Prediction.from_probs(probs, Classes("ab"))


def test_predictions_are_written_and_uncertain_pixels_get_no_label(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out", threshold=0.6)
    folder.claim(predictor(1))
    assert folder.status(job.file, job.name) == "missing"
    folder.write(job, prediction())
    assert folder.status(job.file, job.name) == "current"
    mask = np.asarray(Image.open(folder.mask_file("p")))
    assert (mask[:, :3] == 255).all() and (mask[:, 3:] == 1).all()
    written = sorted(f.name for f in (tmp_path / "out").rglob("p.*"))
    assert written == ["p.jpg", "p.png", "p.png"]


def test_a_mask_belongs_to_its_photo(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    folder.claim(predictor(1))
    folder.write(job, prediction())
    Image.new("RGB", (9, 9)).save(job.file)  # another photo of the same name
    assert folder.status(job.file, job.name) == "missing"
    Image.open(folder.mask_file("p")).convert("L").save(tmp_path / "edited.png")
    (tmp_path / "edited.png").replace(folder.mask_file("p"))
    assert origin_of(folder.mask_file("p")) == ""
    assert folder.status(job.file, job.name) == "edited"
    folder.mask_file("p").write_bytes(b"")
    assert origin_of(folder.mask_file("p")) is None
    assert folder.status(job.file, job.name) == "missing"


def test_other_weights_and_other_programs_are_refused(tmp_path):
    PredictionFolder(tmp_path / "out").claim(predictor(1))
    PredictionFolder(tmp_path / "out").claim(predictor(1))
    with pytest.raises(UserError, match="predictions of other weights.*--overwrite"):
        PredictionFolder(tmp_path / "out").claim(predictor(2))
    with pytest.raises(UserError, match="with another threshold"):
        PredictionFolder(tmp_path / "out", threshold=0.5).claim(predictor(1))
    PredictionFolder(tmp_path / "out", overwrite=True).claim(predictor(2))
    (tmp_path / "mine" / "masks").mkdir(parents=True)
    with pytest.raises(UserError, match="was not written by fewmask"):
        PredictionFolder(tmp_path / "mine", overwrite=True).claim(predictor(1))


def test_annotations_are_made_of_the_masks_on_disk(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out", formats=["cvat"], share=(1, 3))
    folder.claim(predictor(1))
    masked = folder.masked([(job.file, job.name), (tmp_path / "later.png", "later")])
    assert [one.name for one in masked] == ["p.png", "later.png"]
    folder.write(job, prediction())
    said = []
    folder.finish(masked, said.append)
    written = tmp_path / "out" / "annotations" / "cvat-2-of-3.xml"
    assert str(written) in said[0] and "--names a,b --values 255,0,1" in said[1]
    assert 'name="p.png"' in written.read_text() and "later" not in written.read_text()
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder.mask_file("p"))  # edited by hand
    folder.finish(masked, said.append)
    assert 'label="a"' in written.read_text() and 'label="b"' not in written.read_text()
    with pytest.raises(UserError, match="--annotations=yolo: expected coco"):
        PredictionFolder(tmp_path / "out", formats=["yolo"])


@pytest.mark.parametrize(("names", "threshold"), [("ab", 0.6), (("Background", "b"), 0)])
def test_unsure_pixels_that_will_come_back_as_background_are_told(names, threshold, tmp_path):
    def told(names, threshold):
        folder = PredictionFolder(tmp_path / "out", threshold, overwrite=True, formats=["coco"])
        folder.claim(Predictor(nn.Linear(1, 1), Classes(names), InferenceConfig(), None, "cpu"))
        said = []
        folder.finish([], said.append)
        return said

    assert not any("--threshold 0" in line for line in told(names, threshold))
    assert any("--threshold 0" in line for line in told(("Background", "b"), 0.6))
