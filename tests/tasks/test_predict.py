"""Images and frames of videos are predicted, once each, and written in the background."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fewmask.data import Classes
from fewmask.data.video import Video
from fewmask.errors import UserError
from fewmask.evaluation.inference import InferenceConfig
from fewmask.evaluation.predictor import Predictor
from fewmask.models import Output
from fewmask.tasks.predict import predict
from tests.server import serving
from tests.videos import cut, write_clip


class ByColor(nn.Module):
    """The class of a pixel is its brightest channel."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, image):
        return Output(self.scale * image, image, None)


@pytest.fixture
def predictor():
    return Predictor(ByColor(), Classes("rgb"), InferenceConfig(), None, "cpu")


@pytest.fixture
def folder(tmp_path):
    for name in ("a/x.png", "a/y.png", "b/x.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (0, 200, 0)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_shares_of_the_images_make_up_the_whole(folder, predictor, tmp_path):
    found = []
    for share in ((0, 2), (1, 2)):
        done = predict(predictor, [folder], tmp_path / "out", share, tell=lambda line: None)
        found += done.names
        assert done.kept == 0 and not done.failures
    assert sorted(found) == ["a/x", "a/y", "b/x"]
    assert predict(predictor, [folder], tmp_path / "out").kept == 3
    assert (np.asarray(Image.open(tmp_path / "out/masks/a/x.png")) == 1).all()


def test_what_cannot_be_read_is_reported_and_left_out(folder, predictor, tmp_path):
    (folder / "a" / "x.png").write_bytes(b"no image")
    Image.new("RGB", (6, 4)).save(folder / "a" / "z.gif")
    said = []
    done = predict(predictor, [folder], tmp_path / "out", tell=said.append)
    assert len(done.failures) == 1 and "x.png" in done.failures[0]
    assert sum("z.gif (fewmask does not read this kind of image)" in line for line in said) == 1


@pytest.mark.parametrize("share", [(4, 4), (-1, 4), (0, 0)])
def test_a_share_that_does_not_exist_is_refused(share, folder, predictor, tmp_path):
    with pytest.raises(UserError, match="expected .k, n. with 0 <= k < n"):
        predict(predictor, [folder], tmp_path / "out", share)


def test_it_tells_whoever_asked_how_far_it_has_come(folder, predictor, tmp_path, talkative, capsys):
    said = []
    predict(predictor, [folder], tmp_path / "out", tell=said.append)
    assert [line.partition("  ")[0] for line in said if line.startswith("predicting")] == [
        f"predicting image {done}/3" for done in (0, 1, 2)
    ]
    assert capsys.readouterr().out == ""


def test_a_cpu_predicts_images_of_one_size_one_at_a_time(folder, predictor, tmp_path, monkeypatch):
    """Nothing can be told of how far it has come until all that go together are done."""
    together, predict_many = [], predictor.predict_many

    def watched(images):
        together.append(len(images))
        return predict_many(images)

    monkeypatch.setattr(predictor, "predict_many", watched)
    predict(predictor, [folder], tmp_path / "out")
    predictor.device = "cuda"  # as far as the order of work goes
    monkeypatch.setattr(predictor, "predict_many", lambda images: watched_on_gpu(images))

    def watched_on_gpu(images):
        predictor.device = "cpu"
        return watched(images)

    predict(predictor, [folder], tmp_path / "out", overwrite=True)
    assert together == [1, 1, 1, 3]


def test_predictions_may_be_written_into_a_folder_above_the_photos(folder, predictor, tmp_path):
    for out in (folder, tmp_path):
        done = predict(predictor, [folder], out, tell=lambda line: None)
        assert done.names == ["a/x", "a/y", "b/x"] and (out / "masks" / "a" / "x.png").is_file()
    again = predict(predictor, [folder], folder, tell=lambda line: None)
    assert len(again.names) == 3 and again.kept == 3
    with pytest.raises(UserError, match="no image to predict in .*masks, apart from earlier"):
        predict(predictor, [folder / "masks"], folder, tell=lambda line: None)


def test_predictions_come_with_the_area_of_each_class(folder, predictor, tmp_path):
    def areas():
        predict(predictor, [folder], tmp_path / "out", tell=lambda line: None)
        return (tmp_path / "out" / "areas.csv").read_text().splitlines()

    assert areas() == [
        "photo,r,g,b,no label",
        "a/x,0.000,100.000,0.000,0.000",
        "a/y,0.000,100.000,0.000,0.000",
        "b/x,0.000,100.000,0.000,0.000",
    ]
    Image.new("RGB", (6, 4), (200, 0, 0)).save(folder / "a" / "x.png")
    assert areas()[1] == "a/x,100.000,0.000,0.000,0.000"


def test_every_frame_of_a_video_is_predicted(folder, predictor, tmp_path):
    clip = write_clip(tmp_path / "clip.avi", 4)
    done = predict(predictor, [folder / "a", clip], tmp_path / "out", tell=lambda line: None)
    frames = [f"clip/00000{i}" for i in range(4)]
    assert done.names == ["x", "y", *frames] and not done.failures and done.videos == ()
    for number, frame in enumerate(frames):
        mask = np.asarray(Image.open(tmp_path / "out" / "masks" / f"{frame}.png"))
        assert mask.shape == (32, 48) and (mask == number % 3).mean() > 0.95
        assert (tmp_path / "out" / "overlays" / f"{frame}.jpg").is_file()
    assert "clip/000003" in (tmp_path / "out" / "areas.csv").read_text()


def test_finished_frames_of_a_video_are_kept(predictor, tmp_path, monkeypatch):
    clip, out = write_clip(tmp_path / "clip.avi", 5), tmp_path / "out"
    predict(predictor, [clip], out, tell=lambda line: None)
    masks = sorted((out / "masks" / "clip").iterdir())
    for mask in masks[2:]:
        mask.unlink()  # it was killed before them
    before = [mask.stat().st_mtime_ns for mask in masks[:2]]
    seen, predict_many = [], predictor.predict_many
    monkeypatch.setattr(
        predictor, "predict_many", lambda images: seen.extend(images) or predict_many(images)
    )
    done = predict(predictor, [clip], out, tell=lambda line: None)
    assert (len(done.names), done.kept, len(seen)) == (5, 2, 3)
    assert [mask.stat().st_mtime_ns for mask in masks[:2]] == before
    assert all(mask.is_file() for mask in masks)


def test_a_video_that_breaks_off_is_predicted_up_to_there(folder, predictor, tmp_path):
    clip = cut(write_clip(tmp_path / "clip.avi", 40), 0.5)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    said = []
    done = predict(predictor, [tmp_path / "no.mp4", clip, folder / "a"], tmp_path / "out",
                   tell=said.append, overlay_video=True)  # fmt: skip
    assert "breaks off after" in done.failures[1] and "Cannot read the video" in done.failures[0]
    assert len(said) == 2 and all(line.startswith("Left out: ") for line in said)
    frames = len(done.names) - 4  # two photos, and a frame of each video that cannot be read
    assert 5 < frames < 35 and len(list((tmp_path / "out/masks/clip").iterdir())) == frames
    assert done.videos == (tmp_path / "out/overlays/clip.mp4",)
    assert Video(done.videos[0]).count == frames


def test_overlays_are_joined_also_of_frames_that_were_kept(folder, predictor, tmp_path):
    clip, out = write_clip(tmp_path / "clip.avi", 3), tmp_path / "out"
    predict(predictor, [clip], out, tell=lambda line: None)
    done = predict(predictor, [clip], out, tell=lambda line: None, overlay_video=True)
    video = Video(out / "overlays" / "clip.mp4")
    assert (done.kept, done.videos, video.fps) == (3, (video.file,), 10)
    assert [frame.shape for frame in video.frames()] == [(32, 48, 3)] * 3
    with pytest.raises(UserError, match="--overlay-video: there is no video"):
        predict(predictor, [folder], out, overlay_video=True)


def test_images_behind_urls_are_predicted_once(folder, predictor, tmp_path):
    files = {"/p.png": (folder / "a" / "x.png").read_bytes()}
    with serving(files) as url:
        places, out = [f"{url}/p.png", f"{url}/gone.png"], tmp_path / "out"
        done = predict(predictor, places, out, tell=lambda line: None)
        assert done.names == ["p", "gone"] and len(done.failures) == 1 and "404" in done.failures[0]
        assert predict(predictor, places[:1], out).kept == 1
        Image.new("RGB", (6, 4), (200, 0, 0)).save(tmp_path / "new.png")
        files["/p.png"] = (tmp_path / "new.png").read_bytes()
        assert predict(predictor, places[:1], out, overwrite=True).kept == 0
    assert (np.asarray(Image.open(out / "masks" / "p.png")) == 0).all()


def test_predictions_into_the_folder_of_the_photos_are_no_photos(folder, predictor, monkeypatch):
    monkeypatch.chdir(folder)
    for kept in (0, 3):
        done = predict(predictor, ["."], Path("."), tell=lambda line: None)
        assert done.names == ["a/x", "a/y", "b/x"] and done.kept == kept
    assert predict(predictor, ["**/*.png"], Path("a"), tell=lambda line: None).names == done.names
    assert predict(predictor, ["."], Path(".."), tell=lambda line: None).names == done.names
