"""Many files are converted in parallel, whole or not at all."""

import numpy as np
import pytest
from PIL import Image

from fewmask.data.convert import convert_all, save_mask
from fewmask.errors import UserError


def write(job):
    file, text = job
    file.write_text(text)


def refuse(job):
    raise UserError(f"{job} is odd")


def test_every_job_is_done(tmp_path):
    convert_all(write, [(tmp_path / f"{i}", str(i)) for i in range(9)], "Testing")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == [*"012345678"]
    convert_all(write, [], "Nothing")


def test_an_error_of_a_job_arrives():
    with pytest.raises(UserError, match="7 is odd"):
        convert_all(refuse, [7], "Testing")


def test_a_mask_is_a_gray_png(tmp_path):
    save_mask(np.array([[0, 255]], np.uint8), tmp_path / "new" / "m.png")
    with Image.open(tmp_path / "new" / "m.png") as picture:
        assert picture.mode == "L" and np.asarray(picture).tolist() == [[0, 255]]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["m.png"]
