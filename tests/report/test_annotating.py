"""Annotations for labeling tools are made of the masks that lie in the folder."""

import numpy as np
import pytest
from PIL import Image

from fewmask.errors import UserError
from fewmask.report.annotating import photos_to_annotate, write_annotations
from fewmask.report.prediction_folder import PredictionFolder
from tests.report.test_prediction_folder import job, prediction, predictor

__all__ = ["job"]  # a fixture


def test_annotations_are_made_of_the_masks_on_disk(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    photos = [(job.file, job.name), (tmp_path / "later.png", "later")]
    annotated = photos_to_annotate(folder, photos, ["cvat"])
    assert [one.name for one in annotated] == ["p.png", "later.png"]
    folder.claim(predictor(1))
    folder.write(job, prediction())
    said = []
    write_annotations(folder, annotated, ["cvat"], said.append, (1, 3))
    written = tmp_path / "out" / "annotations" / "cvat-2-of-3.xml"
    assert str(written) in said[0] and "--names a,b --values 255,0,1" in said[1]
    assert 'name="p.png"' in written.read_text() and "later" not in written.read_text()
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder.mask_file("p"))  # edited by hand
    write_annotations(folder, annotated, ["cvat"], said.append, (1, 3))
    assert 'label="a"' in written.read_text() and 'label="b"' not in written.read_text()


def test_unsure_pixels_are_annotated_too(job, tmp_path):
    folder = PredictionFolder(tmp_path / "out", threshold=0.99)
    annotated = photos_to_annotate(folder, [(job.file, job.name)], ["cvat"])
    assert annotated[0].mask == tmp_path / "out" / "full" / "p.png"
    folder.claim(predictor(1))
    folder.write(job, prediction())
    write_annotations(folder, annotated, ["cvat"], lambda line: None)
    assert 'label="b"' in (tmp_path / "out" / "annotations" / "cvat.xml").read_text()


def test_nothing_is_written_without_a_format(tmp_path):
    folder = PredictionFolder(tmp_path / "out")
    assert photos_to_annotate(folder, [(tmp_path / "p.png", "p")], []) == []
    write_annotations(folder, [], [], pytest.fail)
    with pytest.raises(UserError, match="--annotations=yolo: expected coco"):
        photos_to_annotate(folder, [], ["yolo"])
