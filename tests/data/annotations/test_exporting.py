"""Masks go out to labeling tools, and come back unchanged."""

import json
import os
import shlex

import numpy as np
import pytest
from PIL import Image

from fewmask.data.annotations.exporting import (
    Masked,
    export_annotations,
    require_distinct,
    require_formats,
    way_back,
)
from fewmask.data.classes import Classes
from fewmask.data.own_files import NOTES
from fewmask.errors import UserError
from tests.program import fewmask

FILES = {"coco": "coco.json", "cvat": "cvat.xml", "labelme": "labelme"}


def noise(seed, values, size=(31, 43)):
    """Blobs of random values with holes and single pixels in them, also at the borders."""
    random = np.random.default_rng(seed)
    small = random.choice(values, (5, 7))
    mask = np.kron(small, np.ones((7, 7), int))[: size[0], : size[1]]
    flipped = random.random(size) < 0.15
    mask[flipped] = random.choice(values, flipped.sum())
    return mask.astype(np.uint16 if max(values) > 255 else np.uint8)


def masked(root, masks):
    """Writes masks by name, without photos: no format reads these."""
    found = []
    for name, mask in masks.items():
        file = root / "masks" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(file)
        found.append(Masked(root / "photos" / f"{name}.jpg", file, f"{name}.jpg"))
    return found


def back(root, kind, classes):
    """Imports what was exported by the command that was told, and reads all masks, by name."""
    out = root / f"from_{kind}"
    command = shlex.split(way_back(classes))
    places = {"EXPORT": root / "out" / FILES[kind], "MASKS": out}
    text = fewmask(*(places.get(word, word) for word in command[1:]))
    assert "lie wholly under" not in text and "cover no pixel" not in text
    files = sorted(out.rglob("*.png"))
    return {f.relative_to(out).with_suffix("").as_posix(): np.array(Image.open(f)) for f in files}


@pytest.mark.parametrize("kind", FILES)
def test_masks_come_back_to_the_pixel(kind, tmp_path):
    masks = {"a/p1": noise(0, [0, 1, 2, 3]), "b/p1": noise(1, [0, 2, 3]), "p.2": noise(2, [0, 1])}
    classes = Classes(["background", "tree", "car & <van>", "Häuser"])
    done = export_annotations(masked(tmp_path, masks), classes, tmp_path / "out", [kind], "")
    assert done == [tmp_path / "out" / FILES[kind]]
    again = back(tmp_path, kind, classes)
    assert again.keys() == masks.keys()
    for name, mask in masks.items():
        assert np.array_equal(again[name], mask), name


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("no_label", [255, None])
def test_without_a_background_every_class_is_written(kind, no_label, tmp_path):
    """The values are the user's own: 40000, 7 and 0, and 255 where there is no label."""
    mask = noise(3, [40000, 7, 0] + [255] * (no_label is not None))
    classes = Classes(["road", "tree", "sky"], values=[40000, 7, 0], no_label=no_label)
    export_annotations(masked(tmp_path, {"p": mask}), classes, tmp_path / "out", [kind], "")
    again = back(tmp_path, kind, classes)["p"]
    assert np.array_equal(again, mask) and again.dtype == mask.dtype


def test_beside_a_background_no_label_comes_back_as_background(tmp_path):
    mask = noise(4, [0, 1, 2, 255])
    classes = Classes(["tree", "_Background_", "car"])
    export_annotations(masked(tmp_path, {"p": mask}), classes, tmp_path / "out", ["coco"], "")
    assert np.array_equal(back(tmp_path, "coco", classes)["p"], np.where(mask == 255, 1, mask))


def test_the_way_back_names_values_where_tools_cannot_know_them():
    def words(*names, **options):
        return way_back(Classes(names, **options)).partition("MASKS ")[2]

    assert words("background", "a", "b c") == "--names 'a,b c'"
    assert words("a", "b") == "--names a,b --values 255,0,1"
    assert words("a", "b", no_label=None) == "--names a,b --values 255,0,1"
    assert words("a", "b", values=[1, 2], no_label=0) == "--names a,b"
    assert words("a", "background", values=[3, 0]) == "--names a --values 0,3"
    assert words("background", "a", values=[0, 255], no_label=None) == "--names a --values 0,255"


def test_pycocotools_reads_every_object(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    mask = noise(5, [0, 1, 2])
    classes = Classes(["background", "tree", "car"])
    export_annotations(masked(tmp_path, {"p": mask}), classes, tmp_path / "out", ["coco"], "")
    read = coco.COCO(str(tmp_path / "out" / "coco.json"))
    again = np.zeros_like(mask)
    for one in read.loadAnns(read.getAnnIds()):
        pixels = read.annToMask(one).astype(bool)
        rows, columns = np.nonzero(pixels)
        left, top, width, height = one["bbox"]
        assert (left, top) == (columns.min(), rows.min()) and one["area"] == pixels.sum()
        assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
        assert (again[pixels] == 0).all()
        again[pixels] = one["category_id"]
    assert np.array_equal(again, mask)
    assert read.loadImgs(1)[0]["file_name"] == "p.jpg"


def test_what_a_person_corrected_is_kept(tmp_path, capsys):
    """LabelMe saves corrections where it found the file."""
    (one,) = masked(tmp_path, {"a/p": noise(6, [0, 1])})
    file, classes = tmp_path / "out" / "labelme" / "a" / "p.json", Classes(["background", "tree"])
    for again in (False, True):
        export_annotations([one], classes, tmp_path / "out", ["labelme"], "")
        content = json.loads(file.read_text())
        assert content["imagePath"] == "../../../photos/a/p.jpg" and content["shapes"]
        file.write_text("{}")
        if again:  # the mask was predicted again
            later = file.stat().st_mtime_ns + 10**9
            os.utime(one.mask, ns=(later, later))
        export_annotations([one], classes, tmp_path / "out", ["labelme"], "")
        assert file.read_text() == "{}"
        assert (f"Kept: {file} was changed" in capsys.readouterr().out) == again
        os.utime(one.mask, ns=(0, 0))
        file.unlink()
    export_annotations([one], classes, tmp_path / "out", ["labelme", "coco"], "")
    (tmp_path / "out" / "coco.json").write_text("mine")
    later = file.stat().st_mtime_ns + 10**9
    os.utime(one.mask, ns=(later, later))
    (labelme,) = export_annotations([one], classes, tmp_path / "out", ["labelme", "coco"], "")
    assert labelme.name == "labelme" and (tmp_path / "out" / "coco.json").read_text() == "mine"


def test_masks_that_are_missing_or_of_other_values(tmp_path):
    one, other = masked(tmp_path, {"p": noise(7, [0, 1]), "q": noise(8, [0, 9])})
    classes = Classes(["background", "tree"])
    one.mask.unlink()
    export_annotations([one], classes, tmp_path / "out", ["coco", "cvat"], "-2-of-3")
    assert json.loads((tmp_path / "out" / "coco-2-of-3.json").read_text())["images"] == []
    assert "<image" not in (tmp_path / "out" / "cvat-2-of-3.xml").read_text()
    with pytest.raises(UserError, match=r"q.png has label 9; expected .* Correct it, or delete"):
        export_annotations([other], classes, tmp_path / "out", ["coco"], "")
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == [
        NOTES, "coco-2-of-3.json", "cvat-2-of-3.xml",
    ]  # fmt: skip


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--annotations=cocoa: expected coco, cvat, labelme"):
        require_formats(["coco", "cocoa"])
    twins = [Masked(tmp_path, tmp_path, name) for name in ("a/p.jpg", "b/p.jpg", "a/p.png")]
    require_distinct(twins[:2])
    with pytest.raises(UserError, match=r"a/p.jpg and a/p.png differ only in the suffix"):
        require_distinct(twins)
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="Cannot write to"):
        export_annotations([], Classes("ab"), tmp_path / "out", ["cvat"], "")
