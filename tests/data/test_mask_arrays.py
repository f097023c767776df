"""Masks in .npy, .npz and .mat files: the array that is meant, or one message."""

import numpy as np
import pytest

from fewmask.data.mask_arrays import read_array, whole_numbers
from fewmask.errors import UserError

LABELS = np.array([[1, 1, 2], [2, 1, 1]], np.uint8)


def saved_mat(file, **content):
    pytest.importorskip("scipy").io.savemat(file, content)
    return file


def test_the_only_array_of_a_file_is_the_mask(tmp_path):
    np.save(tmp_path / "m.npy", LABELS)
    np.savez(tmp_path / "m.npz", anything=LABELS, note=np.array("drawn by hand"))
    saved_mat(tmp_path / "m.mat", groundtruth=LABELS)
    for suffix in ("npy", "npz", "mat"):
        assert np.array_equal(read_array(tmp_path / f"m.{suffix}"), LABELS)


def test_of_several_arrays_one_must_be_named(tmp_path):
    truth = {"Segmentation": LABELS, "Boundaries": LABELS == 2}
    file = saved_mat(tmp_path / "crack.mat", groundTruth=truth)
    with pytest.raises(UserError, match="groundTruth.Boundaries.*data.mask_array="):
        read_array(file)
    for name in ("Segmentation", "groundTruth.Segmentation"):
        assert np.array_equal(read_array(file, name), LABELS)
    with pytest.raises(UserError, match="no array 'mask', but groundTruth"):
        read_array(file, "mask")


def test_the_name_that_sounds_like_a_mask_is_proposed(tmp_path):
    np.savez(tmp_path / "both.npz", image=LABELS, mask=LABELS)
    with pytest.raises(UserError, match=r"data.mask_array=mask\."):
        read_array(tmp_path / "both.npz")
    cells = np.empty(2, object)
    cells[:] = [{"Segmentation": LABELS}, {"Segmentation": LABELS}]
    file = saved_mat(tmp_path / "two.mat", groundTruth=cells)
    with pytest.raises(UserError, match=r"data.mask_array='groundTruth\[0\].Segmentation'\."):
        read_array(file)


def test_an_axis_of_length_one_does_not_count(tmp_path):
    for values in (LABELS[None], LABELS[..., None]):
        np.save(tmp_path / "m.npy", values)
        assert np.array_equal(read_array(tmp_path / "m.npy"), LABELS)


def test_sparse_matrices_and_half_floats_are_read(tmp_path, recwarn):
    sparse = pytest.importorskip("scipy.sparse")
    file = saved_mat(tmp_path / "m.mat", mask=sparse.csc_matrix(LABELS.astype(float)))
    assert np.array_equal(read_array(file), LABELS)
    np.save(tmp_path / "m.npy", LABELS.astype(np.float16))
    assert np.array_equal(read_array(tmp_path / "m.npy"), LABELS) and not recwarn.list


def test_python_objects_are_passed_over(tmp_path):
    np.savez(tmp_path / "m.npz", mask=LABELS, notes=np.array({"by": "me"}, object))
    assert np.array_equal(read_array(tmp_path / "m.npz"), LABELS)
    np.save(tmp_path / "m.npy", LABELS.astype(object))
    with pytest.raises(UserError, match="holds Python objects, not numbers"):
        read_array(tmp_path / "m.npy")


def test_arrays_in_cells_have_a_number(tmp_path):
    cells = np.empty(2, object)
    cells[:] = [{"Segmentation": LABELS}, {"Segmentation": LABELS + 1}]
    file = saved_mat(tmp_path / "two.mat", groundTruth=cells)
    with pytest.raises(UserError, match=r"several arrays 'Segmentation'.*whole name"):
        read_array(file, "Segmentation")
    assert np.array_equal(read_array(file, "groundTruth[1].Segmentation"), LABELS + 1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (LABELS + 0.5, "fractions"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.stack([LABELS] * 3), r"one array.*are \[3, 2, 3\] of uint8"),
    ],
)
def test_what_cannot_be_a_mask_is_refused(values, words, tmp_path):
    np.save(tmp_path / "m.npy", values)
    with pytest.raises(UserError, match=words):
        read_array(tmp_path / "m.npy")


@pytest.mark.parametrize("name", ["m.npy", "m.npz", "m.mat"])
def test_damaged_and_missing_files_are_named(name, tmp_path):
    pytest.importorskip("scipy")
    with pytest.raises(UserError, match=name):
        read_array(tmp_path / name)
    (tmp_path / name).write_bytes(b"PK\x03\x04 no such thing")
    with pytest.raises(UserError, match=name):
        read_array(tmp_path / name)


def test_matlab_files_of_version_7_3_are_explained(tmp_path):
    pytest.importorskip("scipy")
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(head + bytes(1000))
    with pytest.raises(UserError, match="version 7.3"):
        read_array(tmp_path / "new.mat")


def test_whole_numbers_stay_as_they_are(tmp_path):
    assert np.array_equal(whole_numbers(np.array([0.0, 2.0]), tmp_path), [0, 2])
    with pytest.raises(UserError, match="huge"):
        whole_numbers(np.array([2**63], np.uint64), tmp_path)


def test_an_array_beyond_the_limit_of_images_is_refused(tmp_path, monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    file = saved_mat(tmp_path / "m.mat", mask=sparse.csc_matrix((70_000, 70_000)))  # 600 bytes
    with pytest.raises(UserError, match="m.mat: it is 70000x70000 pixels, and the limit is 200"):
        read_array(file)
    np.save(tmp_path / "m.npy", np.zeros((1001, 1000), np.uint8))
    read_array(tmp_path / "m.npy")
    monkeypatch.setenv("FEWMASK_MAX_MEGAPIXELS", "1")
    with pytest.raises(UserError, match="m.npy: it is 1001x1000 pixels"):
        read_array(tmp_path / "m.npy")
