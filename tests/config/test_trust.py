"""What files name is followed only if the user typed, trusts or wrote it."""

import os
import sys

import pytest

from fewmask.config import allow
from fewmask.config.trust import (
    keep,
    kept,
    names_in,
    remember,
    require_trusted,
    require_trusted_checkpoint,
)
from fewmask.errors import UserError

NAMES = {"data": "lab.data:Source"}

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "run" / "recipe.yaml"
    file.parent.mkdir()
    file.write_text("data: {name: 'lab.data:Source'}")
    return file


def test_names_are_seen_wherever_they_stand():
    found = names_in(
        {
            "data": {
                "name": "a:A",
                "names": ["soil:wet"],
                "root": "/x:y",
                "pool": "http://a/b.tar",
            },
            "loader": {"labeled_view": "b.c:view"},
            "logging": {"sinks": ["tensorboard", {"name": "d:D", "url": "x"}]},
            "methods": {"e:E": {"name": "f:F"}},
            "model": {"decoder": {"name": "smp:Unet"}, "encoder": "smp:Unet"},
        }
    )
    assert found == {
        "data": "a:A",
        "loader.labeled_view": "b.c:view",
        "logging.sinks[1]": "d:D",
        "methods: e:E": "e:E",
        "methods.e:E": "f:F",
        "model.encoder": "smp:Unet",
    }


def test_the_message_says_what_wanted_to_run_and_how_to_allow_it(file):
    wanted = {**NAMES, "data.pool": "http://there/0.tar"}
    with pytest.raises(UserError) as refused:
        require_trusted(wanted, file)
    text = str(refused.value)
    assert text.startswith(f"{file} names data=lab.data:Source (runs code), data.pool=http://there")
    assert f"add --trust lab.data --trust {file.parent} to the command" in text


@pytest.mark.parametrize("trusted", ["lab", "lab.data", "lab.data:Source"])
def test_a_name_is_trusted_with_all_that_lies_below(trusted, file):
    allow(trusted)
    require_trusted(NAMES, file)


@pytest.mark.parametrize("trusted", ["la", "lab.dat", "lab.data.more", "lab.data:Sourc"])
def test_similar_names_are_not_trusted(trusted, file):
    allow(trusted)
    with pytest.raises(UserError, match="stranger"):
        require_trusted(NAMES, file)


def test_a_run_folder_is_trusted_with_all_that_it_names(file, tmp_path):
    allow(file.parent)
    require_trusted({**NAMES, "data.cache": "/anywhere"}, file)
    other = tmp_path / "recipe.yaml"
    other.write_text("another")
    with pytest.raises(UserError, match="stranger"):
        require_trusted(NAMES, other)


def test_what_cannot_be_trusted_is_refused():
    with pytest.raises(UserError, match=r"--trust no/such: expected a module"):
        allow("no/such")


def test_a_trusted_file_is_remembered_until_it_changes(file, monkeypatch):
    allow("lab")
    require_trusted(NAMES, file)
    monkeypatch.setenv("FEWMASK_TRUST", "")
    require_trusted(NAMES, file)
    file.write_text(file.read_text() + "\n")
    with pytest.raises(UserError, match="stranger"):
        require_trusted(NAMES, file)


def test_a_file_is_not_remembered_for_what_the_user_replaced(file, monkeypatch):
    everything = {**NAMES, "data.pool": "http://there/0.tar"}
    allow("lab")
    require_trusted(NAMES, file, everything)
    monkeypatch.setenv("FEWMASK_TRUST", "")
    with pytest.raises(UserError, match="http://there"):
        require_trusted(everything, file)


def test_own_files_are_known_by_their_content_and_find_their_modules_again(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    remember(file.read_bytes())
    monkeypatch.chdir("/")
    moved = file.rename(file.with_name("moved.yaml"))
    require_trusted(NAMES, moved)
    assert sys.path[-1] == str(file.parent)


def test_without_a_home_the_own_files_of_this_process_are_known(file, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    remember(file.read_bytes())
    require_trusted(NAMES, file)
    keep("own", "0", "there")
    assert kept("own", "0") is None


def test_a_checkpoint_in_an_own_run_may_name_what_its_recipe_names(file, tmp_path):
    checkpoint = tmp_path / "best.pt"
    checkpoint.write_bytes(b"weights")
    with pytest.raises(UserError, match="model.encoder=lab.data:Source"):
        require_trusted_checkpoint({"encoder": "lab.data:Source"}, checkpoint, file)
    remember(file.read_bytes())
    require_trusted_checkpoint({"encoder": "lab.data:Source"}, checkpoint, file)
    with pytest.raises(UserError, match="model.encoder=evil:Encoder"):
        require_trusted_checkpoint({"encoder": "evil:Encoder"}, checkpoint, file)


def test_a_key_hides_no_other_place():
    values = {"encoder": "evil:Encoder", "encoder.name": "fewmask.models:Fine"}
    found = names_in(values, "model")
    assert found == {
        "model.encoder": "evil:Encoder",
        "model.encoder (fewmask.models:Fine)": "fewmask.models:Fine",
    }


def test_a_place_alone_lets_no_module_be_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recipe.yaml"
    file.write_bytes(remember(b"data: {pool: somewhere}"))
    before = [*sys.path]
    require_trusted({"data.pool": "somewhere"}, file)
    assert sys.path == before
    require_trusted({"method": "evil:Method"}, file)
    assert sys.path == [*before, os.getcwd()]


def test_a_run_resumed_from_elsewhere_still_finds_its_modules(tmp_path, monkeypatch):
    for name in ("lab", "elsewhere"):
        (tmp_path / name).mkdir()
    file = tmp_path / "recipe.yaml"
    monkeypatch.chdir(tmp_path / "lab")
    file.write_bytes(remember(b"steps: 4"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write_bytes(remember(b"steps: 6", file))
    before = [*sys.path]
    require_trusted(NAMES, file)
    assert sys.path == [*before, str(tmp_path / "lab")]
