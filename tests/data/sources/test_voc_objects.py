"""The classes of VOC's objects, for images without a mask."""

import numpy as np
import pytest

from fewmask.data.image_labels import read_image_labels
from fewmask.data.sources.voc import NAMES, VOC
from fewmask.data.sources.voc_objects import object_classes
from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data import trees
from tests.data.trees import quiet

OBJECTS = """<?xml version="1.0" encoding="utf-8"?>
<annotation><filename>2011_000001.jpg</filename>
<object><name>person</name><difficult>1</difficult><part><name>head</name></part></object>
<object><name>dog</name></object><object><name> person </name></object></annotation>
"""


def test_the_classes_of_objects_are_listed_once_and_their_parts_are_none(tmp_path):
    (tmp_path / "a.xml").write_text(OBJECTS)
    assert object_classes(tmp_path / "a.xml", NAMES) == ["dog", "person"]
    (tmp_path / "b.xml").write_text("<annotation/>")
    assert object_classes(tmp_path / "b.xml", NAMES) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<annotation><object>", "cannot be read .*Take it from VOC again"),
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"<a><object><name>persn</name></object></a>", "object 'persn'. Did you mean 'person'"),
        (b"<a><object><name/></object></a>", "object ''"),
    ],
)
def test_damaged_annotations_are_named(content, says, tmp_path):
    (tmp_path / "a.xml").write_bytes(content)
    with pytest.raises(UserError, match=f"a.xml .*{says}|a.xml {says}"):
        object_classes(tmp_path / "a.xml", NAMES)


def test_images_without_a_mask_get_the_classes_of_their_objects(tmp_path):
    """Masks come first: the file of 2009_000001 has a dog, and its mask a bird and a car."""
    root = trees.voc(tmp_path)
    folder = root / "VOCdevkit" / "VOC2012" / "Annotations"
    folder.mkdir()
    for name in ("2011_000001", "2009_000001"):
        (folder / f"{name}.xml").write_text(OBJECTS)
    said = []
    prepare("voc", root, False, said.append)
    file = VOC.image_labels(root)
    assert said[-1] == f"The classes of each image, for PseudoSeg: data.image_labels={file}"
    present = read_image_labels(file, ["2009_000001", "2011_000001"], VOC.CLASSES)
    shown = [[NAMES[label] for label in np.flatnonzero(row)] for row in present]
    assert shown == [["bird", "car"], ["dog", "person"]]
    assert len(file.read_text().splitlines()) == 1 + 9 + 1
    before = file.stat().st_mtime_ns
    prepare("voc", root, False, quiet)
    assert file.stat().st_mtime_ns == before
