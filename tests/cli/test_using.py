"""Commands that use trained runs on images: predict, pseudo, rank."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fewmask.cli.words import recipe_from_words
from fewmask.runs.build import open_data
from tests.program import TINY_PHOTOS, fewmask
from tests.videos import write_clip


def test_predict_writes_masks_overlays_and_confidence_of_any_size(run, tmp_path):
    photos = run.parent.parent / "photos" / "images"
    text = fewmask("predict", run, photos, "--out", tmp_path / "a")
    assert "9 image(s) predicted" in text
    for kind, suffix in (("masks", "png"), ("overlays", "jpg"), ("confidence", "png")):
        written = sorted((tmp_path / "a" / kind).iterdir())
        assert [f.name for f in written] == [f"p{i}.{suffix}" for i in range(9)]
        for file in written:
            assert Image.open(file).size == Image.open(photos / f"{file.stem}.jpg").size
    mask = Image.open(tmp_path / "a" / "masks" / "p0.png")
    assert mask.mode == "P" and set(np.unique(mask)) <= {0, 1}
    assert "accelerator='tpu'" in fewmask("predict", run, photos, "--accelerator", "tpu", code=2)
    best = run / "weights" / "best.pt"  # enough without the run folder, with a pattern of images
    fewmask("predict", best, f"{photos}/p[01].jpg", "--out", tmp_path / "b")
    assert len(list((tmp_path / "b" / "masks").iterdir())) == 2


def test_predict_leaves_out_what_it_cannot_read_and_says_so(run, tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (33, 21), 90).save(tmp_path / "in" / "gray.png")
    Image.new("CMYK", (20, 20)).save(tmp_path / "in" / "ink.jpg")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no image")
    text = fewmask("predict", run, tmp_path / "in", "--out", tmp_path / "out", code=1)
    assert "broken.jpg" in text and "2 image(s) predicted" in text
    assert "no folder, list, image or video" in fewmask("predict", run, tmp_path / "x*", code=2)
    (tmp_path / "in" / "gray.png").unlink()
    (tmp_path / "in" / "ink.jpg").unlink()
    text = fewmask("predict", run, tmp_path / "in", "--out", tmp_path / "out", code=1)
    assert "Nothing was predicted." in text and "1 image(s) could not be read" in text


def test_an_interrupted_prediction_goes_on_and_keeps_what_is_there(run, tmp_path):
    photos = run.parent.parent / "photos" / "images"
    fewmask("predict", run, photos, "--out", tmp_path / "a", "--share", "1/3")
    first = sorted((tmp_path / "a" / "masks").iterdir())
    assert [f.stem for f in first] == ["p0", "p3", "p6"]
    before = first[0].stat().st_mtime_ns
    first[1].unlink()  # a kill came before it
    text = fewmask("predict", run, photos, "--out", tmp_path / "a")
    assert "9 image(s) predicted (2 of them earlier)" in text
    assert first[0].stat().st_mtime_ns == before
    assert len(list((tmp_path / "a" / "masks").iterdir())) == 9
    error = fewmask("predict", run, photos, "--out", tmp_path / "a", "--weights", "student", code=2)
    assert "predictions of other weights" in error and "--overwrite" in error
    fewmask("predict", run, photos, "--out", tmp_path / "a", "--weights", "student", "--overwrite")
    for shard in ("0/3", "4/3", "x", "1"):
        assert "expected i/n" in fewmask("predict", run, photos, "--shard", shard, code=2)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("data.label_mapping={7: 0, 200: 1}", {7, 200}),
        ("data.label_mapping={0: 0, 1000: 1}", {0, 1000}),
    ],
)
def test_predicted_masks_hold_the_users_own_values(option, values, run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    low, high = sorted(values)
    for file in (photos / "masks").iterdir():
        mask = np.where(np.asarray(Image.open(file)) > 0, high, low).astype(np.uint16)
        Image.fromarray(mask).save(file)
    words = (f"data={photos}", "data.names=[a, b]", option, *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    fewmask(
        "predict", tmp_path / "runs/folder-fewmatch-001", photos / "images", "--out", tmp_path / "o"
    )
    found = {int(v) for f in (tmp_path / "o/masks").iterdir() for v in np.unique(Image.open(f))}
    assert found and found <= values


def test_predictions_never_overwrite_what_is_not_theirs(run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    for extra in ((), ("--overwrite",)):
        error = fewmask("predict", run, photos / "images", "--out", photos, *extra, code=2)
        assert "exists and was not written by fewmask" in error
    fewmask("predict", run, photos / "images" / "p0.jpg", "--out", tmp_path / "o")
    Image.new("RGB", (33, 22)).save(photos / "images" / "p0.jpg")  # another photo, the same name
    text = fewmask("predict", run, photos / "images" / "p0.jpg", "--out", tmp_path / "o")
    assert "before" not in text
    assert Image.open(tmp_path / "o" / "masks" / "p0.png").size == (33, 22)


def test_predictions_inside_the_photos_folder_are_no_photos(run, tmp_path):
    shutil.copytree(run.parent.parent / "photos" / "images", tmp_path / "new")
    words = ("predict", run, tmp_path / "new", "--out", tmp_path / "new" / "predictions")
    assert "9 image(s) predicted" in fewmask(*words)
    text = fewmask(*words, code=1)
    assert "Nothing was left to predict" in text and "the predictions of 9 image(s)" in text
    assert "Nothing was predicted" in fewmask(*words, "--share", "20/20", code=1)


def test_a_video_becomes_masks_and_a_video(run, tmp_path):
    clip = write_clip(tmp_path / "clip.avi", 3)
    text = fewmask("predict", run, clip, "--out", tmp_path / "out")
    assert "3 image(s) predicted" in text and "Overlay video" not in text
    assert Image.open(tmp_path / "out/masks/clip/000002.png").size == (48, 32)
    text = fewmask("predict", run, clip, "--out", tmp_path / "out", "--overlay-video")
    assert "Nothing was left" in text and "overlays/clip.mp4" in text  # but it did something
    photos = run.parent.parent / "photos" / "images"
    assert "there is no video" in fewmask("predict", run, photos, "--overlay-video", code=2)


def test_prototypes_predict_too(run, tmp_path):
    photos = run.parent.parent / "photos"
    words = ["method=pcr", "method.cells=8", "method.warmup_epochs=1", *TINY_PHOTOS]
    text = fewmask("train", f"data={photos}", *words, "--out", tmp_path / "pcr", cwd=tmp_path)
    assert "prototype" in text
    images = photos / "images" / "p0.jpg"
    words = [tmp_path / "pcr", images, "--out", tmp_path / "out", "--weights", "prototype"]
    assert "1 image(s) predicted" in fewmask("predict", *words, cwd=tmp_path)


def test_pseudo_labels_become_labels_of_the_next_run(run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    (photos / "val.txt").write_text("p0\n")  # of the new masks, some hold no label
    words = (f"data={photos}", "data.val=val.txt", "data.names=[a, b]", *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    first = tmp_path / "runs" / "folder-fewmatch-001"
    text = fewmask("pseudo", first, "--threshold", "0.6", "--out", tmp_path / "pseudo")
    assert "4 image(s) predicted" in text
    for file in (tmp_path / "pseudo" / "masks").iterdir():
        mask = np.asarray(Image.open(file))
        sure = np.asarray(Image.open(tmp_path / "pseudo" / "confidence" / file.name)) >= 0.61 * 255
        assert set(np.unique(mask)) <= {0, 1, 255} and (mask[sure] != 255).all()
    shutil.copy(tmp_path / "pseudo/masks/p7.png", photos / "masks")  # reviewed
    fewmask("train", *words, cwd=tmp_path)
    runs = [tmp_path / "runs" / f"folder-fewmatch-00{i}" for i in (1, 2)]
    lists = [(run / "splits" / "unlabeled.txt").read_text().split() for run in runs]
    assert "p7" in lists[0] and "p7" not in lists[1]
    assert "--threshold=2" in fewmask("pseudo", first, "--threshold", "2", code=2)
    fewmask("rank", first, "--count", "2")
    words = ("pseudo", first, "--only", first / "rank" / "to_label.txt", "--out", tmp_path / "two")
    text = fewmask(*words)
    assert "2 image(s) predicted" in text and "two/full" in text and "two/unsure" in text
    assert "Nothing was left to predict" in fewmask(*words, code=1)


def test_predictions_are_corrected_in_a_labeling_tool_and_come_back(run, tmp_path):
    photos = run.parents[1] / "photos" / "images"
    words = ("predict", run, photos, "--out", tmp_path / "out", "--annotations")
    fewmask(*words, "cvat", "--share", "1/2")  # as if it had been interrupted
    text = fewmask(*words, "coco, labelme")
    assert f"Annotations for a labeling tool: {tmp_path / 'out/annotations/labelme'}" in text
    assert (tmp_path / "out" / "annotations" / "cvat-1-of-2.xml").is_file()
    assert "--names 'class 0,class 1' --values 255,0,1" in text
    for kind in ("coco.json", "labelme"):
        source, back = tmp_path / "out" / "annotations" / kind, tmp_path / f"from_{kind}"
        values = ("--names", "class 0,class 1", "--values", "255,0,1")
        fewmask("import", source, "--out", back, *values)
        masks = sorted((tmp_path / "out" / "masks").iterdir())
        assert len(masks) == len([*back.glob("*.png")]) == 9
        for mask in masks:
            again = np.asarray(Image.open(back / mask.name))
            assert np.array_equal(again, np.asarray(Image.open(mask)))
    assert "--annotations=voc: expected coco" in fewmask(*words, "voc", code=2)


def test_pseudo_labels_are_written_for_a_labeling_tool(run, tmp_path):
    words = ("pseudo", run, "--threshold", "0.6", "--out", tmp_path, "--annotations", "labelstudio")
    assert f"{tmp_path / 'annotations/labelstudio.json'}" in fewmask(*words, cwd=run.parents[1])


@pytest.mark.parametrize(
    ("options", "no_label"),
    [(("data.ignore=[0]", "data.label_mapping={1: 0, 2: 1}"), 0), (("data.ignore=[9]",), 9)],
)
def test_unsure_pixels_are_written_as_the_users_own_no_label(options, no_label, run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    for file in (photos / "masks").iterdir():
        mask = np.asarray(Image.open(file)) + (1 if no_label == 0 else 0)
        Image.fromarray(mask.astype(np.uint8)).save(file)
    (photos / "val.txt").write_text("p0\n")
    words = (f"data={photos}", "data.val=val.txt", "data.names=[a, b]", *options, *TINY_PHOTOS)
    fewmask("train", *words, cwd=tmp_path)
    first = tmp_path / "runs/folder-fewmatch-001"
    fewmask("pseudo", first, "--threshold", "0.99", "--out", tmp_path / "pseudo")
    shutil.copy(tmp_path / "pseudo/masks/p7.png", photos / "masks")
    assert (np.asarray(Image.open(photos / "masks" / "p7.png")) == no_label).mean() > 0.5
    fewmask("train", *words, cwd=tmp_path)


CODED = {
    "numbers": ("data.label_mapping={0: 0, 255: 1}", "data.ignore=[]"),
    "colors": ('data.palette={"#ffffff": 0, "#c80000": 1}',),
}


@pytest.mark.parametrize("kind", CODED)
def test_masks_without_a_no_label_value_get_one_for_unsure_pixels(kind, run, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(run.parents[1] / "photos", photos)
    (photos / "val.txt").write_text("p0\n")
    colors = np.array([[255, 255, 255], [200, 0, 0]], np.uint8)
    for file in (photos / "masks").iterdir():
        mask = np.asarray(Image.open(file))
        Image.fromarray(mask * 255 if kind == "numbers" else colors[mask]).save(file)
    words = [f"data={photos}", "data.names=[a, b]", "data.val=val.txt", *TINY_PHOTOS]
    fewmask("train", *words, *CODED[kind], cwd=tmp_path)
    first = tmp_path / "runs/folder-fewmatch-001"
    text = fewmask("pseudo", first, "--threshold", "0.99", "--out", tmp_path / "p")
    shutil.copy(tmp_path / "p/masks/p7.png", photos / "masks")
    if kind == "numbers":
        assert "data.ignore='[254]'" in text
        cure = (CODED[kind][0], "data.ignore=[254]")
    else:
        assert "an entry '#fefefe': 255 in data.palette" in text
        cure = ('data.palette={"#ffffff": 0, "#c80000": 1, "#fefefe": 255}',)
        picture = Image.open(tmp_path / "p/masks/p7.png").convert("RGB")
        picture.save(photos / "masks/p7.png")  # as an editor would
    data = open_data(recipe_from_words([*words, *cure]))
    assert "p7" in data.labeled.names
    assert (data.labeled.mask(data.labeled.names.index("p7")) == 255).mean() > 0.5


def test_photos_that_have_moved_are_found_by_an_option(run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run")
    photos = shutil.copytree(run.parents[1] / "photos", tmp_path / "moved")
    recipe = (copied / "recipe.yaml").read_text().replace(str(run.parents[1] / "photos"), "/gone")
    (copied / "recipe.yaml").write_text(recipe)
    text = fewmask("rank", copied, code=2)
    assert "/gone: there is no such folder. If it has moved: data.root=PLACE." in text
    place = text.split()[-1].rstrip(".").replace("PLACE", str(photos))
    assert "Label these next" in fewmask("rank", copied, place, "--count", "2")
    assert "mIoU" in fewmask("evaluate", copied, place)
    text = fewmask("pseudo", copied, place, "--out", tmp_path / "pseudo")
    assert "image(s) predicted" in text


@pytest.mark.parametrize("share", ["0/1", "2/1", "1", "a/b", f"1/{'9' * 5000}"])
def test_a_share_that_cannot_be(share, run, tmp_path):
    text = fewmask("predict", run, tmp_path, "--share", share, code=2)
    assert "expected i/n with 1 <= i <= n" in text and len(text) < 200
