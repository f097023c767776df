"""Videos are read frame by frame, and what is missing from one is told."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from fewmask.data.video import Video, is_video, write_video
from fewmask.errors import UserError
from tests.videos import cut, write_clip


def brightest(frames):
    """The brightest channel of each frame."""
    return [int(frame.mean(axis=(0, 1)).argmax()) for frame in frames]


def test_frames_are_rgb_and_in_order(tmp_path):
    video = Video(write_clip(tmp_path / "clip.avi", 7))
    assert (video.fps, video.count) == (10, 7)
    frames = list(video.frames())
    assert frames[0].shape == (32, 48, 3) and frames[0].dtype == np.uint8
    assert brightest(frames) == [0, 1, 2, 0, 1, 2, 0]


def test_frames_that_nobody_wants_are_passed_over(tmp_path):
    frames = list(Video(write_clip(tmp_path / "clip.avi", 6)).frames(lambda number: number == 4))
    assert [frame is None for frame in frames] == [True, True, True, True, False, True]
    assert brightest([frames[4]]) == [1]


def test_the_frames_before_a_break_are_read(tmp_path):
    video = Video(cut(write_clip(tmp_path / "clip.avi", 50), 0.5))
    found = []
    with pytest.raises(UserError, match=r"clip.avi breaks off after \d+ of 50 frames"):
        found += [found.append(frame) for frame in video.frames()]
    assert 10 < len(found) < 40 and brightest(found[:3]) == [0, 1, 2]


@pytest.mark.parametrize("content", [None, b"", b"no video" * 1000])
def test_what_is_no_video_is_one_message(content, tmp_path, capfd):
    if content is not None:
        (tmp_path / "clip001.mp4").write_bytes(content)
    video = Video(tmp_path / "clip001.mp4")
    assert video.count == 0
    with pytest.raises(UserError, match="Cannot read the video .*clip001.mp4.* ffmpeg -i"):
        list(video.frames())
    assert capfd.readouterr() == ("", "")


def test_pictures_become_a_video(tmp_path):
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    files = [tmp_path / f"{i}.jpg" for i in range(3)]
    for file, color, side in zip(files, colors, (64, 64, 32), strict=True):
        Image.new("RGB", (64, side), color).save(file)
    write_video(files, 5, tmp_path / "out" / "joined.mp4")
    video = Video(tmp_path / "out" / "joined.mp4")
    assert (video.fps, video.count) == (5, 3)
    frames = list(video.frames())
    assert frames[2].shape == (64, 64, 3) and brightest(frames) == [0, 1, 2]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["joined.mp4"]


def test_without_an_encoder_nothing_is_written(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(cv2.VideoWriter, "fourcc", lambda *letters: -2)
    with pytest.raises(UserError, match=r"Cannot write .*v.mp4: OpenCV has no encoder"):
        write_video([tmp_path / "a.jpg"], 5, tmp_path / "v.mp4")
    assert not (tmp_path / "v.mp4").exists()


def test_videos_are_known_by_their_suffix(tmp_path):
    assert is_video(tmp_path / "a.MOV") and not is_video(tmp_path / "a.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_no_video(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="Cannot read the video"):
        next(Video(tmp_path / "a.mp4").frames())
