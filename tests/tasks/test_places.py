"""Images and videos are found by folder, pattern, list, path or URL, each with its own name."""

import pytest
from PIL import Image

from fewmask.errors import UserError
from fewmask.tasks.places import Named, find_all, find_images


@pytest.fixture
def folder(tmp_path):
    for name in ("a/x.png", "a/y.png", "b/x.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (0, 200, 0)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def names(place):
    return [item.name for item in find_images(place)]


def all_names(*places, out, tell=lambda line: None):
    return [item.name for item in find_all(places, out, tell)]


def test_names_of_all_kinds_of_places(folder):
    assert names(folder) == ["a/x", "a/y", "b/x"]
    assert names(folder / "a" / "x.png") == ["x"]
    assert names(f"{folder}/*/y.png") == ["y"]
    (folder / "b" / "._x.png").write_bytes(b"Mac OS X")
    assert names(f"{folder}/*/*x.png") == ["a/x", "b/x"]
    (folder / "list.txt").write_text("b/x.png\na/y.png\n")
    assert names(folder / "list.txt") == ["x", "y"]
    for nothing in ("*.png", "no.txt", "no.mp4", "a/x.png/z"):
        with pytest.raises(UserError, match="is no folder, list, image or video"):
            find_images(folder / nothing)


def test_a_list_of_names_that_rank_has_written(folder, tmp_path):
    rows = [
        f"1,a/x,{folder / 'a/x.png'},0.9,1",
        f"2,b/x,{folder / 'b/x.png'},0.8,",
        "3,shard/1,,0,",
    ]
    (tmp_path / "rank.csv").write_text("\n".join(["rank,image,file,entropy,chosen", *rows]))
    (tmp_path / "to_label.txt").write_text("b/x\na/x\n")
    found = find_images(tmp_path / "to_label.txt")
    assert [item.file for item in found] == [folder / "b/x.png", folder / "a/x.png"]
    (tmp_path / "rank.csv").write_text("a table of something else")
    assert find_images(tmp_path / "to_label.txt")[0].file == tmp_path / "b/x"  # told as missing


def test_names_stay_inside_the_folder_of_predictions(folder, monkeypatch):
    """A name with `..` would lead out of it, to the photo itself."""
    (folder / "b" / "list.txt").write_text("x.png\n../a/x.png\n")
    assert names(folder / "b" / "list.txt") == ["b/x", "a/x"]
    monkeypatch.chdir(folder / "b")
    assert [str(item.file) for item in find_images("list.txt")] == ["x.png", "../a/x.png"]
    assert names("list.txt") == ["b/x", "a/x"]


def test_a_place_that_is_empty_is_not_the_folder_of_today(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="A place to predict is empty"):
        find_all([""], tmp_path / "out")


def test_videos_are_named_and_left_out_of_folders(folder, tmp_path):
    (folder / "a" / "clip.mp4").touch()
    said = []
    assert all_names(folder, out=tmp_path, tell=said.append) == ["a/x", "a/y", "b/x"]
    assert len(said) == 1 and "Left out: 1 video(s)" in said[0] and "clip.mp4" in said[0]
    for place in (folder / "a" / "clip.mp4", f"{folder}/*/*.mp4"):
        assert all_names(place, out=tmp_path) == ["clip"]
    assert Named(folder, "clip").frame(12).name == "clip/000012"


def test_urls_are_named_like_their_files(tmp_path):
    (item,) = find_all(["https://host/a/p.jpg?size=2"], tmp_path)
    assert (item.name, item.url) == ("p", "https://host/a/p.jpg?size=2")
    assert item.file.parent.parent == tmp_path / "downloaded" and item.file.name == "p.jpg"
    assert all_names("https://host/a.v2", out=tmp_path) == ["a.v2"]
    assert len(find_all(["http://h/p.jpg", "http://h/p.jpg"], tmp_path)) == 1


def test_what_would_be_written_twice_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="would both be written as 'x'"):
        find_all([folder / "a", folder / "b"], tmp_path)
    for name in ("clip.avi", "clip.mp4", "clip/000007.png", "clip/cover.png", "clip.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(UserError, match="would both be written as 'clip'"):
        find_all([folder / "clip.avi", folder / "clip.mp4"], tmp_path)
    for places in ([folder / "clip.mp4", folder], [folder, folder / "clip.mp4"]):
        with pytest.raises(UserError, match="would both be written as 'clip/000007'"):
            find_all(places, tmp_path)
    (folder / "clip/000007.png").unlink()
    assert len(find_all([folder, folder / "clip.mp4"], tmp_path)) == 6


@pytest.mark.parametrize("kind", ["masks", "overlays", "confidence", "full", "unsure"])
def test_predictions_are_no_photos_wherever_they_lie(kind, folder, tmp_path, monkeypatch):
    place = folder / "b" / "results"
    (place / kind / "sub").mkdir(parents=True)
    Image.new("RGB", (6, 4)).save(place / kind / "sub" / "p.png")
    assert "b/results/" + kind + "/sub/p" in all_names(folder, out=tmp_path)
    (place / "made_by.json").touch()
    assert all_names(folder, out=tmp_path) == ["a/x", "a/y", "b/x"]
    assert all_names(f"{folder}/**/*.png", out=tmp_path) == ["a/x", "a/y", "b/x"]
    monkeypatch.chdir(place / kind)
    for inside in (".", "sub/p.png", place):
        with pytest.raises(UserError, match="no image to predict in .*, apart from earlier"):
            find_all([inside], tmp_path)


def test_the_masks_of_a_data_set_are_no_photos(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        Image.new("RGB", (6, 4)).save(tmp_path / "data" / kind / "a.png")
    said = []
    found = find_all([tmp_path / "data"], tmp_path / "out", said.append)
    assert [item.name for item in found] == ["images/a"]
    assert said == [
        f"Left out: 1 file(s) in {tmp_path}/data/masks, as they are the masks of {tmp_path}/data."
    ]


def test_a_file_whose_name_no_list_can_hold_is_refused(tmp_path):
    try:
        (tmp_path / "a\nb.mp4").touch()
    except OSError:
        pytest.skip("this file system refuses such names")
    with pytest.raises(UserError, match="cannot be written into a list. Rename it"):
        find_images(tmp_path / "a\nb.mp4")
