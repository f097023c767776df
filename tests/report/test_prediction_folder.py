"""A folder of predictions knows whose they are, and what is still missing."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fewmask.data import Classes
from fewmask.data.video import Video
from fewmask.errors import UserError
from fewmask.evaluation.inference import InferenceConfig
from fewmask.evaluation.predictor import Prediction, Predictor
from fewmask.report.prediction_folder import Job, PredictionFolder, origin_of

MORE = ("full", "unsure")
"""The folders that a threshold adds."""


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
    full, unsure = (np.asarray(Image.open(tmp_path / "out" / kind / "p.png")) for kind in MORE)
    assert (full[:, 3:] == 1).all() and set(np.unique(full)) <= {0, 1}
    assert (unsure[:, :3] == 255).all() and (unsure[:, 3:] == 0).all()
    written = sorted(f.parent.name for f in (tmp_path / "out").rglob("p.*"))
    assert written == ["confidence", "full", "masks", "overlays", "unsure"]


def test_without_a_threshold_no_pixel_is_unsure(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    folder.claim(predictor(1))
    folder.write(job, prediction())
    written = sorted(f.parent.name for f in (tmp_path / "out").rglob("p.*"))
    assert written == ["confidence", "masks", "overlays"]


@pytest.mark.parametrize("kind", ["masks", "full"])
def test_masks_that_a_person_corrected_are_kept(kind, job, tmp_path):
    folder = PredictionFolder(tmp_path / "out", threshold=0.6)
    folder.claim(predictor(1))
    folder.write(job, prediction())
    file = tmp_path / "out" / kind / "p.png"
    pixels = np.asarray(Image.open(file))
    Image.fromarray(pixels).save(file)
    assert folder.status(job.file, job.name) == "edited" and folder.edited_mask("p") == file
    file.write_bytes(b"")
    assert folder.status(job.file, job.name) == "missing"


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
    for name in ("masks", "overlays", "downloaded", "areas.csv"):
        (tmp_path / f"my {name}" / name).mkdir(parents=True)
        with pytest.raises(UserError, match=f"my {name}/{name} exists and was not written by"):
            PredictionFolder(tmp_path / f"my {name}", overwrite=True).claim(predictor(1))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--out=.*file: .* is a file"):
        PredictionFolder(tmp_path / "file").claim(predictor(1))


def test_overlays_of_frames_are_joined(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    folder.claim(predictor(1))
    whole = Prediction(np.zeros((16, 16), np.uint8), np.ones((16, 16)), Classes("ab"))
    for number in range(2):
        folder.write(Job(job.file, f"clip/{number}", np.full((16, 16, 3), 90, np.uint8)), whole)
    file = tmp_path / "out" / "overlays" / "clip.mp4"
    assert folder.join("clip", ["clip/0", "clip/1", "clip/2"], 5) == [file]
    assert Video(file).count == 2
    assert folder.join("other", ["other/0"], 5) == []


def test_what_a_person_put_or_changed_there_is_kept_even_with_overwrite(job, tmp_path):
    out, told = tmp_path / "out", []
    PredictionFolder(out).claim(predictor(1))
    theirs, changed = out / "overlays" / "p.jpg", out / "areas.csv"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    folder = PredictionFolder(out, overwrite=True, tell=told.append)
    folder.claim(predictor(1))
    folder.write(job, prediction())
    folder.finish()
    assert theirs.read_text() == "mine" and folder.mask_file("p").is_file()
    assert len(told) == 1 and told[0].startswith(f"Kept: {theirs} was changed")
    changed.write_text("photo,mine\n")
    folder.mask_file("p").write_bytes(folder.mask_file("p").read_bytes() + b"!")
    assert folder.status(job.file, job.name) == "edited"
    folder.finish()
    assert changed.read_text() == "photo,mine\n" and "areas.csv" in told[1]


def test_masks_of_a_version_without_notes_are_known_by_what_is_written_in_them(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    folder.claim(predictor(1))
    folder.write(job, prediction())
    folder.finish()
    table = folder.areas.file.read_text()
    for file in (folder.own.notes, folder.areas.added):
        file.unlink()
    again = PredictionFolder(tmp_path / "out", overwrite=True)
    assert PredictionFolder(tmp_path / "out").status(job.file, job.name) == "current"
    assert again.status(job.file, job.name) == "missing"  # it is ours, and made again
    again.claim(predictor(1))
    again.write(job._replace(name="q"), prediction())
    again.finish()
    assert again.areas.file.read_text() == table + table.splitlines()[1].replace("p", "q", 1) + "\n"


def test_a_record_of_the_weights_that_is_damaged_makes_the_predictions_again(job, tmp_path):
    out, told = tmp_path / "out", []
    folder = PredictionFolder(out)
    folder.claim(predictor(1))
    folder.write(job, prediction())
    (out / "made_by.json").write_text("")  # what version 0.1 left on a full disk
    folder = PredictionFolder(out, tell=told.append)
    folder.claim(predictor(1))
    assert folder.status(job.file, job.name) == "missing" and "is damaged" in told[0]
    folder.write(job, prediction())
    folder = PredictionFolder(out, tell=told.append)
    folder.claim(predictor(1))
    assert folder.status(job.file, job.name) == "current" and len(told) == 1
