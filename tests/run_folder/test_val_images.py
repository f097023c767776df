"""How each validation image was scored is noted, and not mistaken for another evaluation."""

import tracemalloc
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from fewmask.run_folder.paths import RunPaths
from fewmask.run_folder.val_images import read_val_images, write_val_images

COUNTS = np.arange(24).reshape(3, 4, 2)


def test_what_was_noted_is_read(tmp_path):
    paths = RunPaths(tmp_path)
    assert read_val_images(paths, 7, "student") is None
    write_val_images(paths, 7, "student", COUNTS)
    assert np.array_equal(read_val_images(paths, 7, "student"), COUNTS)
    assert read_val_images(paths, 8, "student") is None
    assert read_val_images(paths, 7, "teacher") is None


def test_a_damaged_file_says_nothing(tmp_path):
    paths = RunPaths(tmp_path)
    write_val_images(paths, 7, "student", COUNTS)
    whole = paths.val_images.read_bytes()
    paths.val_images.write_bytes(whole[:50])
    assert read_val_images(paths, 7, "student") is None
    for place in range(len(whole)):
        wrong = bytes([whole[place] ^ 255])
        paths.val_images.write_bytes(whole[:place] + wrong + whole[place + 1 :])
        found = read_val_images(paths, 7, "student")
        assert found is None or np.array_equal(found, COUNTS)
    paths.val_images.write_bytes(b"")
    assert read_val_images(paths, 7, "student") is None


def test_counts_that_cannot_be_say_nothing(tmp_path):
    paths = RunPaths(tmp_path)
    for wrong in (COUNTS - 5, COUNTS * 0.5, COUNTS[0]):
        write_val_images(paths, 7, "student", wrong)
        assert read_val_images(paths, 7, "student") is None


def test_a_small_file_that_stands_for_gigabytes_is_not_unpacked(tmp_path):
    paths = RunPaths(tmp_path)
    packed = ZipFile(paths.val_images, "w", ZIP_DEFLATED, compresslevel=1)
    with packed, packed.open("counts.npy", "w", force_zip64=True) as member:
        for _ in range(170):
            member.write(bytes(10_000_000))
    tracemalloc.start()
    assert read_val_images(paths, 7, "student") is None
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
