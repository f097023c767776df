"""Masks from the exports of labeling tools."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.importing import import_masks
from fewmask.errors import UserError
from tests.data.exports import coco, cvat, drawn, label_studio, labelme, photos, via, yolo
from tests.program import fewmask


@pytest.mark.parametrize("export", [labelme, coco, cvat, label_studio, via, yolo])
def test_all_tools_give_the_same_masks(export, tmp_path):
    again = export(tmp_path / "in")
    done = import_masks(again, tmp_path / "masks", ["car", "house"])
    assert done.classes == ["background", "car", "house"] and done.drawn == {"a": 2}
    assert done.without_objects == ["b"] and not (tmp_path / "masks" / "b.png").exists()
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert mask.shape == (10, 12) and mask.dtype == np.uint8
    assert mask[3, 3] == 2 and mask[6, 6] == 1 and mask[0, 0] == 0  # later over earlier
    import_masks(again, tmp_path / "masks", (), True, empty_is_background=True)
    assert (np.asarray(Image.open(tmp_path / "masks" / "b.png")) == 0).all()


def test_outlines_are_the_same_pixels_in_all_formats(tmp_path):
    coco_masks = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    ring = 32 + rng.uniform(10, 30, (9, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    flat = ring.ravel().tolist()
    photos(tmp_path / "images", "a.jpg", size=(64, 64))  # shares of it are exact
    one = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [flat]}
    image = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}
    percent = {"points": (ring / 64 * 100).tolist(), "polygonlabels": ["x"]}
    sized = {"type": "polygonlabels", "original_width": 64, "original_height": 64}
    xs, ys = ring.T.tolist()
    outline = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    region = {"shape_attributes": outline, "region_attributes": {"class": "x"}}
    exports = {
        "coco": {"images": [image], "categories": [{"id": 1, "name": "x"}], "annotations": [one]},
        "label_studio": [
            {"data": {"image": "a.jpg"}, "annotations": [{"result": [{**sized, "value": percent}]}]}
        ],
        "via": {"a": {"filename": "a.jpg", "regions": [region]}},
    }
    masks = []
    for name, content in exports.items():
        masks.append(drawn(tmp_path, f"{name}.json", json.dumps(content), overwrite=True)[0])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text(" ".join(["0", *(str(value / 64) for value in flat)]))
    (tmp_path / "classes.txt").write_text("x")
    import_masks(tmp_path, tmp_path / "yolo")
    masks.append(np.asarray(Image.open(tmp_path / "yolo/a.png")))
    (packed,) = coco_masks.frPyObjects([flat], 64, 64)
    theirs = coco_masks.decode(packed).astype(bool)
    for mask in masks:
        assert np.array_equal(mask, masks[0])
    assert (theirs & (masks[0] > 0)).sum() / (theirs | (masks[0] > 0)).sum() > 0.985


@pytest.mark.parametrize("export", [labelme, yolo])
def test_hidden_files_beside_those_of_an_export_do_not_count(export, tmp_path):
    """A Mac adds ._a.json to a.json, and Jupyter a folder of older copies."""
    folder = export(tmp_path / "in")
    for file in [*folder.rglob("*.json"), *folder.rglob("labels/*.txt")]:
        file.with_name(f"._{file.name}").write_bytes(b"\x00\x05\x16\x07\xff")
        (file.parent / ".checkpoints").mkdir(exist_ok=True)
        (file.parent / ".checkpoints" / file.name).write_bytes(file.read_bytes())
    assert import_masks(folder, tmp_path / "masks").drawn == {"a": 2}


def test_photos_give_masks_their_folders_in_any_format(tmp_path):
    folder = photos(tmp_path / "photos", "field/a.jpg", "b.jpg")
    done = import_masks(coco(tmp_path / "in"), tmp_path / "masks", images=folder)
    assert done.drawn == {"field/a": 2} and (tmp_path / "masks/field/a.png").is_file()
    (folder / "field/a.jpg").unlink()
    with pytest.raises(UserError, match="There is no photo of the name 'a'"):
        import_masks(coco(tmp_path / "in"), tmp_path / "other", images=folder)


def test_names_give_the_order_and_must_be_complete(tmp_path):
    export = coco(tmp_path / "in")
    done = import_masks(export, tmp_path / "masks", ["car", "house"])
    assert done.classes == ["background", "car", "house"]
    assert np.asarray(Image.open(tmp_path / "masks" / "a.png"))[3, 3] == 2
    with pytest.raises(
        UserError, match="objects called car, which --names leaves out. .*--names car,house"
    ):
        import_masks(export, tmp_path / "other", ["house"])


def test_the_classes_that_an_export_declares_are_numbered_whether_shown_or_not(tmp_path):
    content = json.loads(coco(tmp_path / "in").read_text())
    content["categories"].append({"id": 3, "name": "well"})
    (tmp_path / "c.json").write_text(json.dumps(content))
    done = import_masks(tmp_path / "c.json", tmp_path / "masks")
    assert done.classes == ["background", "well", "house", "car"]  # by their ids
    labels = "<meta><job><labels><label><name>well</name></label><label><name>car</name></label>"
    text = cvat(tmp_path / "in").read_text()
    labels += "<label><name>house</name></label></labels></job></meta>"
    (tmp_path / "c.xml").write_text(text.replace("<annotations>", f"<annotations>{labels}"))
    done = import_masks(tmp_path / "c.xml", tmp_path / "other")
    assert done.classes == ["background", "well", "car", "house"]


def test_a_declared_background_is_no_class_beside_it(tmp_path):
    """As labelme2coco declares it; and blanks around a name are no part of it."""
    content = json.loads(coco(tmp_path / "in").read_text())
    content["categories"] += [{"id": 0, "name": "_background_"}, {"id": 3, "name": " well "}]
    (tmp_path / "c.json").write_text(json.dumps(content))
    done = import_masks(tmp_path / "c.json", tmp_path / "masks")
    assert done.classes == ["background", "well", "house", "car"]
    assert np.asarray(Image.open(tmp_path / "masks" / "a.png"))[6, 6] == 3
    named = import_masks(tmp_path / "c.json", tmp_path / "named", ["_background_", "house", "car"])
    assert named.classes == ["background", "house", "car"]
    labels = "<meta><label><name/></label><labels><label><name/></label></labels></meta>"
    text = cvat(tmp_path / "in").read_text().replace("<annotations>", f"<annotations>{labels}")
    (tmp_path / "c.xml").write_text(text)
    done = import_masks(tmp_path / "c.xml", tmp_path / "other")
    assert done.classes == ["background", "car", "house"]


def test_names_of_an_earlier_import_that_are_not_utf_8_are_one_message(tmp_path):
    export, out = coco(tmp_path / "in"), tmp_path / "masks"
    out.mkdir()
    (out / "names.txt").write_bytes("background\nKüche\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"names.txt is not UTF-8 text. Save it as UTF-8"):
        import_masks(export, out)


def shown(root, stem, *names):
    """A LabelMe file with one object of each name."""
    shapes = [{"label": n, "points": [[0, 0], [4, 0], [4, 4], [0, 4]]} for n in names]
    root.mkdir(exist_ok=True)
    content = {"imageWidth": 4, "imageHeight": 4, "shapes": shapes}
    (root / f"{stem}.json").write_text(json.dumps(content))
    return root / f"{stem}.json"


def test_a_second_export_numbers_the_classes_as_the_first_one(tmp_path):
    out = tmp_path / "masks"
    import_masks(shown(tmp_path / "in", "x", "a", "b"), out)
    done = import_masks(shown(tmp_path / "in", "y", "b"), out)
    assert done.classes == ["background", "a", "b"]
    assert (np.asarray(Image.open(out / "y.png")) == 2).all()
    with pytest.raises(UserError, match=r"objects called c. Give all .*--names a,b,c"):
        import_masks(shown(tmp_path / "in", "z", "b", "c"), out)
    with pytest.raises(UserError, match="in this order"):
        import_masks(shown(tmp_path / "in", "z", "b", "c"), out, ["c", "b", "a"])
    done = import_masks(shown(tmp_path / "in", "z", "b", "c"), out, ["a", "b", "c"])
    assert (np.asarray(Image.open(out / "z.png")) == 3).all()


def test_background_is_one_class_however_it_is_written(tmp_path):
    export = shown(tmp_path / "in", "x", "Background", "_background_", "a")
    assert import_masks(export, tmp_path / "masks").classes == ["background", "a"]
    printed = import_masks(export, tmp_path / "other", ["background", "a"])
    assert printed.classes == ["background", "a"]
    with pytest.raises(UserError, match="expected each name once"):
        import_masks(export, tmp_path / "third", ["a", "a"])


def test_images_with_objects_that_cannot_be_drawn_are_no_background(tmp_path):
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 8, "height": 8} for i in (1, 2, 3)],
        "annotations": [box],
        "categories": [{"id": 1, "name": "cow"}],
    }
    file, out = tmp_path / "c.json", tmp_path / "masks"
    file.write_text(json.dumps({**content, "images": content["images"][:1]}))
    with pytest.raises(UserError, match="1 box without an outline. Draw outlines"):
        import_masks(file, out, empty_is_background=True)
    outline = {**box, "id": 2, "image_id": 2, "segmentation": [[1, 1, 6, 1, 6, 6]]}
    file.write_text(json.dumps({**content, "annotations": [box, outline]}))
    done = import_masks(file, out, empty_is_background=True)
    assert sorted(mask.name for mask in out.glob("*.png")) == ["2.png", "3.png"]
    assert done.without_objects == ["3"] and done.undrawn == 1
    assert "1 image(s) with nothing else get no mask." in "\n".join(done.in_words(out))


def test_a_message_names_some_of_very_many_classes(tmp_path):
    export, out = coco(tmp_path / "in"), tmp_path / "masks"
    with pytest.raises(UserError) as error:
        import_masks(export, out, [f"kind {i}" for i in range(200)] + ["kind 7"])
    assert "kind 29,... (201 in all): expected each name once" in str(error.value)
    assert len(str(error.value)) < 400


def test_an_export_without_objects_makes_no_masks(tmp_path):
    with pytest.raises(UserError, match="No image in .* has an object.*--empty-is-background"):
        import_masks(shown(tmp_path / "in", "x"), tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_the_command(tmp_path):
    text = fewmask("import", labelme(tmp_path / "in"), "--out", tmp_path / "masks")
    assert (
        "1 mask(s) with 2 object(s)" in text
        and "1 image(s) have no object and get no mask (first: b)" in text
    )
    assert "names: [background, car, house]" in text


def test_masks_that_are_there_are_kept(tmp_path):
    text = json.dumps({"imageWidth": 4, "imageHeight": 4, "shapes": []})
    drawn(tmp_path, "x.json", text)
    with pytest.raises(UserError, match=r"1 of these masks are in .* already.*--overwrite"):
        drawn(tmp_path, "x.json", text)
    drawn(tmp_path, "x.json", text, overwrite=True)


def test_masks_hold_the_values_that_the_user_wants(tmp_path):
    out = tmp_path / "masks"
    done = import_masks(shown(tmp_path / "in", "x", "a"), out, ["a", "b"], values=[255, 7, 0])
    assert done.values == [255, 7, 0]
    assert (np.asarray(Image.open(out / "x.png")) == 7).all()
    import_masks(shown(tmp_path / "in", "y", "b"), out)  # they are remembered
    assert (np.asarray(Image.open(out / "y.png")) == 0).all()
    again = shown(tmp_path / "in", "z", "c")
    with pytest.raises(UserError, match="--values 255,7,0: expected a value for each of back.*c;"):
        import_masks(again, out, ["a", "b", "c"])
    with pytest.raises(UserError, match=r"holds masks with the values 255, 7, 0. Give values that"):
        import_masks(again, out, ["a", "b", "c"], values=[0, 1, 2, 3])
    import_masks(again, out, ["a", "b", "c"], values=[255, 7, 0, 40000])
    assert (np.asarray(Image.open(out / "z.png")) == 40000).all()
    for values in ([1], [1, 1], [0, 70000], [-1, 0], [0, 1, 2]):
        with pytest.raises(UserError, match=r"for each of background, a; no two of them equal"):
            import_masks(shown(tmp_path / "in", "x", "a"), tmp_path / "new", values=values)
    (out / "values.txt").write_text("x")
    with pytest.raises(UserError, match=r"values.txt is damaged: .*'x'. Correct or delete it"):
        import_masks(again, out, overwrite=True)


def test_values_on_the_command_line(tmp_path):
    words = ("import", labelme(tmp_path / "in"), "--out", tmp_path / "masks", "--values")
    assert "--values 0,1,x: expected whole numbers" in fewmask(*words, "0,1,x", code=2)
    text = fewmask(*words, "0,255,7")
    assert "The masks hold 0 for background, 255 for car, 7 for house." in text
    assert np.asarray(Image.open(tmp_path / "masks" / "a.png"))[3, 3] == 7


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\ud800"])
def test_a_class_name_that_no_file_or_terminal_can_show_is_refused(name, tmp_path):
    export = coco(tmp_path / "in")
    file = next(export.rglob("*.json")) if export.is_dir() else export
    content = json.loads(file.read_text())
    content["categories"][0]["name"] = name
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="holds control characters"):
        import_masks(export, tmp_path / "masks")
    assert not (tmp_path / "masks").exists()
