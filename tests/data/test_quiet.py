"""Damaged files are told by us alone, in one message."""

import subprocess
import sys

import numpy as np
from PIL import Image

READ = """
import sys
from pathlib import Path
from fewmask.data.images import read_image, read_tiff
from fewmask.errors import UserError
for file in sorted(Path(sys.argv[1]).iterdir()):
    for read in (read_image, read_tiff):
        try:
            read(file)
        except UserError as error:
            assert file.name in str(error)
            print("told", file.name)
"""


def test_libraries_print_nothing_of_their_own(tmp_path):
    (tmp_path / "cut.tif").write_bytes(b"II*\0" + bytes(range(60, 100)))
    (tmp_path / "odd.tif").write_bytes(b"II*\0\x08\0\0\0\x05\0" + bytes(range(40)))
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "exif.jpg")
    jpeg = (tmp_path / "exif.jpg").read_bytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + bytes(range(20))
    head = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big")
    (tmp_path / "exif.jpg").write_bytes(jpeg[:2] + head + exif + jpeg[2:])
    done = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert {*done.stdout.split()} >= {"told", "cut.tif", "odd.tif"}
