"""Names on disk."""

import pickle

import pytest

from fewmask.data.lists.published import recognize
from fewmask.data.pool import name_index
from fewmask.data.pool.name_index import NameIndex
from fewmask.errors import UserError


def test_names_are_sorted_found_and_known_by_their_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(name_index, "CHUNK", 7)  # many runs to merge
    names = [f"ordner {i % 4}/bild-ä{i}" for i in range(50)]
    index = NameIndex.build(names, tmp_path, "x")
    assert list(index) == sorted(names) == [index[i] for i in range(50)]
    assert index[-1] == sorted(names)[-1] and index[3:5] == sorted(names)[3:5]
    assert names[13] in index and "nothing" not in index and 3 not in index
    assert index.sha256 == recognize(names).sha256
    assert recognize(index) == recognize(names)
    with pytest.raises(IndexError):
        index[50]


def test_names_travel_to_other_processes_as_a_path(tmp_path):
    index = NameIndex.build((f"{i:06}" for i in range(100_000)), tmp_path, "x")
    content = pickle.dumps(index)
    assert len(content) < 400
    assert pickle.loads(content)[77_777] == "077777"


def test_an_image_named_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="'b' is named twice"):
        NameIndex.build(["a", "b", "c", "b"], tmp_path, "x")
    assert list(tmp_path.iterdir()) == []
