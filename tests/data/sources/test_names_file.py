"""Names of classes from a file."""

import numpy as np
import pytest

from fewmask.data.sources.folder import Folder
from fewmask.data.sources.names_file import read_names
from fewmask.errors import UserError

NAMES = ["null", "coat", "t shirt"]


def cells(words):
    found = np.empty((1, len(words)), object)
    found[0] = words
    return found


def saved(file, **content):
    pytest.importorskip("scipy.io").savemat(file, content)
    return file


def test_a_line_or_a_cell_is_a_name(tmp_path):
    (tmp_path / "names.txt").write_text("null\ncoat\nt shirt\n")
    assert read_names(tmp_path / "names.txt") == NAMES
    assert read_names(saved(tmp_path / "a.mat", label_list=cells(NAMES), version=[[2]])) == NAMES


def test_the_option_takes_a_file_below_the_root(tmp_path):
    saved(tmp_path / "label_list.mat", label_list=cells(NAMES))
    config = Folder.Config(name="folder", root=tmp_path, names="label_list.mat")
    assert config.names == tuple(NAMES)


@pytest.mark.parametrize("content", [{"a": [[1, 2]]}, {"a": cells("ab"), "b": cells("cd")}])
def test_a_file_without_one_list_of_names_is_refused(content, tmp_path):
    with pytest.raises(UserError, match="expected one cell array of names; found"):
        read_names(saved(tmp_path / "a.mat", **content))


def test_missing_and_damaged_files_are_refused(tmp_path):
    (tmp_path / "b.mat").write_bytes(b"MATLAB")
    for name in ("a.mat", "b.mat", "a.txt"):
        with pytest.raises(UserError, match=name):
            read_names(tmp_path / name)
