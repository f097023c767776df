"""MATLAB files, sound and damaged."""

import struct

import numpy as np
import pytest

from fewmask.data.matlab_files import read_matlab

io = pytest.importorskip("scipy.io")
LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("options", [{}, {"do_compression": True}, {"format": "4"}])
def test_versions_and_compressed_files_are_read(tmp_path, options):
    nested = {} if options.get("format") else {"s": {"c": [LABELS, "word"], "empty": []}}
    io.savemat(tmp_path / "a.mat", {"labels": LABELS, **nested}, **options)
    found = read_matlab(tmp_path / "a.mat")
    assert (found["labels"] == LABELS).all()
    if nested:
        assert (found["s"]["c"][0] == LABELS).all()


@pytest.mark.parametrize("kind", [0, 8, 19, 0xBC02, 0xFFFF])
def test_a_type_that_does_not_exist_is_refused_before_scipy_follows_it(tmp_path, kind):
    io.savemat(tmp_path / "a.mat", {"labels": LABELS})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    place = content.index(struct.pack("<II", 2, 12))  # the twelve bytes of the array
    content[place : place + 4] = struct.pack("<I", kind)
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="damaged at byte"):
        read_matlab(tmp_path / "a.mat")


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    io.savemat(tmp_path / "a.mat", {"labels": LABELS})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content[:-9])
    with pytest.raises(ValueError, match="damaged"):
        read_matlab(tmp_path / "a.mat")


def test_zeros_without_end_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("FEWMASK_MAX_MEGAPIXELS", "1")
    io.savemat(tmp_path / "a.mat", {"a": np.zeros((6000, 6000), np.uint8)}, do_compression=True)
    with pytest.raises(ValueError, match="the limit is 1 megapixels"):
        read_matlab(tmp_path / "a.mat")
