"""Files of LabelMe."""

import base64
import io
import json

import numpy as np
from PIL import Image

from fewmask.data.annotations.importing import import_masks


def test_labelme_keeps_folders_and_reads_its_pixel_masks(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 255]], np.uint8)).save(stream, "PNG")
    coded = base64.b64encode(stream.getvalue()).decode()
    shape = {"label": "a", "points": [[2, 1], [3, 2]], "shape_type": "mask", "mask": coded}
    (tmp_path / "in/sub").mkdir(parents=True)
    text = json.dumps({"imageWidth": 5, "imageHeight": 4, "shapes": [shape]})
    (tmp_path / "in/sub/p.json").write_text(text)
    import_masks(tmp_path / "in", tmp_path / "m")
    mask = np.asarray(Image.open(tmp_path / "m/sub/p.png"))
    assert mask[1:3, 2:4].tolist() == [[0, 1], [1, 1]] and mask.sum() == 3
