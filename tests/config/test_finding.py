"""Classes are found by name, and only names of the form of an import path are imported."""

import sys
from collections.abc import Mapping

import pytest

from fewmask.config import allow, find, find_class
from fewmask.errors import UserError

OURS = {"mapping": "collections.abc:Mapping"}


def test_a_plain_word_is_ours_and_an_import_path_is_imported():
    assert find("mapping", OURS, "data") is Mapping
    assert find("collections.abc:Mapping", {}, "data") is Mapping
    with pytest.raises(
        UserError, match=r"data\.name=maping: unknown data\. Did you mean 'mapping'"
    ):
        find("maping", OURS, "data")


def test_another_base_is_refused():
    assert find_class("mapping", OURS, "data", Mapping) is Mapping
    with pytest.raises(UserError, match=r"not a class that derives from builtins\.str"):
        find_class("mapping", OURS, "data", str)


@pytest.mark.parametrize(
    "name", ["a/b:C", "../lab:C", "a-b:C", ":C", "a:", "a..b:C", "a:b:C", "a:C.D"]
)
def test_what_is_no_import_path_is_not_imported(name):
    with pytest.raises(UserError, match=r"expected package\.module:Class"):
        find(name, {}, "data")


def test_the_working_folder_is_searched_last_and_only_for_what_the_user_named(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "found_lab.py").write_text("class Own: pass")
    (tmp_path / "json.py").write_text("raise SystemExit('not the one of Python')")
    with pytest.raises(UserError, match="there is no module 'found_lab'"):
        find("found_lab:Own", {}, "data")
    allow("found_lab")
    assert find("found_lab:Own", {}, "data").__name__ == "Own"
    assert "" not in sys.path and sys.path[-1] == str(tmp_path)
    monkeypatch.delitem(sys.modules, "json")
    allow("json")
    assert find("json:loads", {}, "data")("1") == 1
