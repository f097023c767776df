"""A test for each promise of docs/security.md."""

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from fewmask.data.cache import DecodedFolder
from fewmask.data.download import unpack
from fewmask.errors import UserError
from fewmask.run_folder import checkpoint, weights_file
from fewmask.run_folder.paths import RunPaths
from tests.conftest import TINY_WORDS
from tests.program import TINY_PHOTOS, fewmask

pytestmark = pytest.mark.usefixtures("newcomer")

EVIL = "open('PWNED', 'w').write('code of a stranger ran')"
OWN = "from tests.tiny import Encoder as Tiny\nclass Own(Tiny): pass\n"
WORDS = ("synthetic", *TINY_WORDS, "method=fixmatch", "training.steps=2")


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """The folder that a user works in, with a photo."""
    folder = tmp_path / "work"
    (folder / "photos").mkdir(parents=True)
    Image.new("RGB", (48, 48)).save(folder / "photos" / "1.png")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run without anything suspicious."""
    folder = tmp_path_factory.mktemp("trained")
    fewmask("train", *WORDS, "--out", folder / "run", cwd=folder)
    return folder / "run"


@pytest.fixture
def foreign(trained, work) -> RunPaths:
    """A stranger's run in the folder that the user works in, with a module beside it."""
    paths = RunPaths(shutil.copytree(trained, work / "foreign"))
    (paths.folder / "evil.py").write_text(EVIL)
    return paths


def change(paths: RunPaths, section: str, **options: object) -> None:
    values = yaml.safe_load(paths.recipe.read_text())
    values[section] |= options
    paths.recipe.write_text(yaml.safe_dump(values))


def is_refused(*words: str | Path, what: str) -> None:
    said = fewmask(*words, code=2)
    assert what in said and "may come from a stranger" in said and "--trust" in said
    assert not Path("PWNED").exists()


@pytest.mark.parametrize(
    "command", [("check",), ("train", "--print-config"), ("split", "--size=1")]
)
def test_a_data_set_runs_no_code(command, work):
    (work / "dset").mkdir()
    (work / "dset" / "helper.py").write_text(EVIL)
    (work / "dset" / "data.yaml").write_text("name: dset.helper:Source")
    data = "dset/data.yaml" if command == ("check",) else "data=dset/data.yaml"
    is_refused(*command, data, what="data=dset.helper:Source (runs code)")
    is_refused("train", "--print-config", "data=./dset/../dset/data.yaml", what="dset.helper")


def test_a_data_set_calls_no_url_and_fills_no_folder_elsewhere(work):
    for option in ("pool: http://127.0.0.1:9/0.tar", "cache: ../elsewhere"):
        (work / "data.yaml").write_text(option)
        is_refused("check", "data.yaml", what=f"data.{option.replace(': ', '=')}")
    (work / "data.yaml").write_text("cache: inside")
    assert "cache: inside" in fewmask("train", "data=data.yaml", "--print-config")


def test_a_checkpoint_runs_no_code(foreign):
    card = torch.load(foreign.best, weights_only=True)
    card["model"]["encoder"] = "foreign.evil:Encoder"
    torch.save(card, foreign.best)
    alone = Path(shutil.copy(foreign.best, "alone.pt"))
    weights_file.save(card, Path("alone.safetensors"))
    for place in (foreign.folder, foreign.best, alone, Path("alone.safetensors")):
        is_refused("predict", place, "photos", what="model.encoder=foreign.evil:Encoder")
        if place.suffix != ".safetensors":
            is_refused("train", "data=synthetic", "--weights", place, what="foreign.evil:Encoder")
    is_refused("export", foreign.folder, what="foreign.evil:Encoder")


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("method", {"name": "foreign.evil:Method"}),
        ("data", {"name": "foreign.evil:Source"}),
        ("model", {"encoder": "foreign.evil:Encoder"}),
        ("data", {"pool": "http://127.0.0.1:9/0.tar"}),
        ("data", {"cache": "/tmp/elsewhere"}),
    ],
)
def test_the_recipe_of_a_run_leads_nowhere(foreign, section, options):
    change(foreign, section, **options)
    (what,) = options.values()
    run = foreign.folder
    for words in (
        ["evaluate", run],
        ["report", run],
        ["rank", run],
        ["pseudo", run],
        ["train", "--resume", run],
        ["train", "--resume", run, "--dry-run"],
        ["predict", run, "photos", "--weights", "teacher"],
    ):
        is_refused(*words, what=what)


def test_a_run_of_the_user_needs_no_trust_wherever_it_is(work, tmp_path, monkeypatch):
    (work / "safe_lab.py").write_text(OWN)
    fewmask("train", *WORDS, "model.encoder=safe_lab:Own", "--out", "run")
    monkeypatch.setenv("FEWMASK_TRUST", "")  # the next command is another process
    monkeypatch.delitem(sys.modules, "safe_lab")
    moved = shutil.move("run", tmp_path / "moved")
    (tmp_path / "safe_lab.py").write_text(EVIL)  # beside the run, and not where the user worked
    monkeypatch.chdir(tmp_path)
    fewmask("predict", moved, work / "photos")
    fewmask("evaluate", moved, "--weights", "student")
    assert not Path("PWNED").exists()


def test_trust_is_asked_for_once(foreign, work, monkeypatch):
    (work / "their_lab.py").write_text("from fewmask.methods.fixmatch import FixMatch as Theirs")
    change(foreign, "method", name="their_lab:Theirs")
    is_refused("evaluate", foreign.folder, what="method=their_lab:Theirs")
    fewmask("evaluate", foreign.folder, "--trust", "their_lab")
    monkeypatch.setenv("FEWMASK_TRUST", "")
    fewmask("evaluate", foreign.folder)


def test_the_working_folder_is_not_searched_for_modules(work, trained):
    Path("onnxruntime.py").write_text(EVIL)
    fewmask("predict", trained, "photos")
    assert "" not in sys.path and str(work) not in sys.path


class Bomb:
    def __reduce__(self):
        return (exec, (EVIL,))


def test_a_refused_checkpoint_comes_with_no_dangerous_advice(work):
    torch.save({"format": checkpoint.FORMAT, "x": Bomb()}, "bomb.pt")
    for words in ([], ["--debug"]):
        said = fewmask("predict", "bomb.pt", "photos", *words, code=1 if words else 2)
        assert "holds more than plain tensors" in said and "weights_only" not in said
    assert not Path("PWNED").exists()


def test_damaged_weights_are_noticed(foreign):
    content = bytearray(foreign.best.read_bytes())
    content[len(content) // 2] ^= 1
    foreign.best.write_bytes(content)
    assert "checksum" in fewmask("predict", foreign.folder, "photos", code=2)
    card = torch.load(RunPaths(foreign.folder).best, weights_only=True)
    name = next(name for name, value in card["weights"].items() if value.is_floating_point())
    card["weights"][name][...] = float("nan")
    torch.save(card, foreign.best)
    assert f"{name} is not a number" in fewmask("predict", foreign.folder, "photos", code=2)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_holds_files_and_nothing_else(kind, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("way_out")
        member.type, member.linkname = kind, "../outside"
        tar.addfile(member)
        inside = tarfile.TarInfo("way_out/file")
        inside.size = 1
        tar.addfile(inside, io.BytesIO(b"x"))
    with pytest.raises(UserError, match="'way_out' is a link or a device.*Nothing was unpacked"):
        unpack(tmp_path / "a.tar", tmp_path / "inside")
    assert not [*(tmp_path / "inside").iterdir()]


def test_files_of_the_user_behind_links_stay_as_they_are(foreign):
    thesis, own = Path("thesis.txt"), foreign.folder / ".fewmask.sha256"
    thesis.write_text("mine")
    for place in (foreign.log, foreign.writer, own):
        place.unlink(missing_ok=True)
        place.symlink_to(thesis.resolve())
        for words in (["train", "--resume", foreign.folder, "training.steps=3"], ["report"]):
            said = fewmask(*words, *[foreign.folder] * (len(words) == 1), code=2)
            assert "thesis.txt" in said and "link" in said
            assert thesis.read_text() == "mine"
        place.unlink()
    Path("mine").mkdir()
    (foreign.folder / "export").symlink_to(Path("mine").resolve())
    said = fewmask("export", foreign.folder, "--format", "safetensors", code=2)
    assert "export is a link to" in said and not [*Path("mine").iterdir()]


@pytest.mark.parametrize("cache", ["~nobody_of_this_name/x", '"a\\0b"'])
def test_a_cache_that_is_no_path_is_one_message(cache, work):
    (work / "data.yaml").write_text(f"cache: {cache}")
    said = fewmask("train", "data=data.yaml", "--print-config", code=0 if "~" in cache else 2)
    assert "~nobody_of_this_name" in said or "no NUL bytes" in said


def test_hard_links_are_backups_that_stay_as_they_are(foreign):
    run, predict = foreign.folder, ("predict", foreign.folder, "photos", "--out", "out")
    fewmask(*predict, "--annotations", "coco")
    fewmask("report", run)
    fewmask("rank", run)
    for folder in (run, Path("out")):
        shutil.copytree(folder, f"{folder}-backup", copy_function=os.link)
    backups = [file for file in Path().rglob("*-backup/**/*") if file.is_file()]
    before = [file.read_bytes() for file in backups]
    Image.new("RGB", (48, 40)).save(Path("photos/2.png"))
    fewmask("train", "--resume", run, "training.steps=3")
    fewmask(*predict, "--overwrite", "--annotations", "coco")
    fewmask("report", run)
    fewmask("rank", run, "--count", 1)
    fewmask("export", run, "--format", "safetensors")
    assert [file.read_bytes() for file in backups] == before and len(before) > 30
    assert (run / "train.log").read_bytes() != Path(f"{run}-backup/train.log").read_bytes()


@pytest.mark.parametrize("place", ["masks", "confidence", "annotations", "downloaded"])
def test_a_folder_of_predictions_leads_nowhere(place, foreign):
    words = ("predict", foreign.folder, "photos", "--out", "out", "--annotations", "labelme")
    fewmask(*words)
    Path("mine").mkdir()
    shutil.rmtree(Path("out") / place, ignore_errors=True)
    (Path("out") / place).symlink_to(Path("mine").resolve())
    said = fewmask(*words, "--overwrite", code=2)
    assert f"out/{place} is a link to" in said and not [*Path("mine").iterdir()]


def test_where_one_works_no_file_takes_the_place_of_automatic_settings(work):
    (work / "evil.py").write_text(EVIL)
    (work / "auto").mkdir()
    for machine in ("cpu", "gpu"):
        (work / "auto" / machine).write_text("method: {name: 'evil:X'}")
    fewmask("train", "--print-config", "data=synthetic")
    assert not Path("PWNED").exists()


def test_the_cache_of_a_data_set_leads_nowhere(work):
    (work / "data.yaml").write_text("images: photos\nmasks: photos\ncache: inside")
    (work / "inside").mkdir()
    (work / "mine").mkdir()
    for number in range(256):
        (work / "inside" / f"{number:02x}").symlink_to(work / "mine")
    decoded = DecodedFolder(work / "inside")
    with pytest.raises(UserError, match="is a link to .*mine"):
        decoded.get(work / "photos/1.png", "", lambda: np.zeros(3))
    assert not [*(work / "mine").iterdir()]


def test_names_are_text_in_a_report_and_no_part_of_its_page(work):
    rng = np.random.default_rng(0)
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    for kind in ("images", "masks"):
        (work / "set" / kind).mkdir(parents=True)
    for number in range(6):
        pixels = rng.integers(0, 2, (40, 40), np.uint8)
        name = f"<img src=x onerror=alert({number})>.png"
        Image.fromarray(pixels * 255).convert("RGB").save(work / "set" / "images" / name)
        if number < 4:
            Image.fromarray(pixels).save(work / "set" / "masks" / name)
    (work / "set" / "data.yaml").write_text(yaml.safe_dump({"names": [evil, "b"]}))
    run = work / "<script>alert(3)<"
    fewmask("train", "data=set/data.yaml", "method=imas", *TINY_PHOTOS, "--out", run)
    fewmask("report", run)
    pages = [run / "report.html", *(run / "plots").glob("*.svg")]
    for page in pages:
        text = page.read_text()
        assert "<img src=x" not in text and "<script>alert" not in text
    assert "&lt;img src=x onerror=alert(" in pages[0].read_text() and len(pages) > 5
