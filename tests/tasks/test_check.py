"""`fewmask check`: every typical mistake is named, in words that say what to do; no tracebacks."""

import json

import numpy as np
import pytest
from PIL import Image

from fewmask import cli
from fewmask.cli.words import recipe_from_words
from fewmask.errors import UserError
from fewmask.report.draft import write_draft
from fewmask.runs.build import open_data
from fewmask.tasks import check as checking
from tests.data import trees
from tests.data.checks.photos import check, write_clean
from tests.links import link
from tests.program import fewmask


@pytest.fixture
def clean(tmp_path):
    return write_clean(tmp_path / "photos")


def test_what_training_would_refuse_is_an_error(clean):
    (clean / "val.txt").write_text("p01\np15\n")  # p15 has no mask
    text = "\n".join(
        f.what
        for f in checking.check(recipe_from_words([f"data={clean}", "data.val=val.txt"])).findings
    )
    assert "Training would stop here" in text and "p15" in text
    (clean / "val.txt").write_text("p01\n")
    (clean / "labeled.txt").write_text("p01\np02\n")
    words = [f"data={clean}", "data.val=val.txt", "data.labeled=labeled.txt"]
    assert "1 val image(s) are the same files as labeled ones" in "\n".join(
        f.what for f in checking.check(recipe_from_words(words)).findings
    )


def test_a_published_data_set_is_checked_too(tmp_path):
    root = trees.camvid(tmp_path)
    found = checking.check(
        recipe_from_words(["data=camvid", f"data.root={root}", "data.labeled=2"])
    )
    assert len(found.survey.images["val"]) == 2 and "sky" in found.shares["labeled"]


def test_the_command_prints_writes_and_ends_with_its_code(clean, tmp_path):
    text = fewmask("check", clean, "data.val=val")
    assert "0 error(s), 0 warning(s)" in text
    (clean / "masks" / "p00.png").write_bytes(b"no image")
    draft = clean / "data.yaml"
    text = fewmask("check", clean, "data.val=val", "--write", draft, code=2)
    assert "Review it, then" in text and "# error: 1 mask(s)" in draft.read_text()
    printed = json.loads(fewmask("check", draft, "--json", code=2))
    assert printed["exit_code"] == 2 and printed["images"]["val"] == 4
    assert "exists" in fewmask("check", clean, "--write", draft, code=2)
    assert "no such folder" in fewmask("check", tmp_path / "nowhere", code=2)


@pytest.mark.parametrize("kind", ["binary", "numbers", "colors"])
def test_the_draft_makes_odd_masks_ready_to_train_on(kind, clean, tmp_path):
    colors = np.array([[0, 0, 0], [250, 9, 9]], np.uint8)
    for file in clean.rglob("masks/*.png"):
        mask = np.asarray(Image.open(file))
        odd = {"binary": mask * 255, "numbers": mask * 7 + 3, "colors": colors[mask]}[kind]
        Image.fromarray(odd).save(file)
    found = checking.check(recipe_from_words([f"data={clean}", "data.val=val"]))
    write_draft(found, clean / "data.yaml")
    moved = tmp_path / "moved"
    clean.rename(moved)  # the draft's root is the file's own folder
    data = open_data(recipe_from_words(["method=imas", f"data={moved / 'data.yaml'}"]))
    assert len(data.classes) == 2 and np.unique(data.val.mask(0)).tolist() == [0, 1]


DAMAGES = (
    "truncate", "empty", "text", "wrong mode", "wrong size", "odd name", "loop", "unreadable",
    "folder as file", "flip bytes", "other suffix", "remove",
)  # fmt: skip


def damage(root, rng):
    """Does one harm to a random file of the folder."""
    files = sorted(f for f in root.rglob("*.png") if f.is_file() and not f.is_symlink())
    file = files[rng.integers(len(files))]
    kind = DAMAGES[rng.integers(len(DAMAGES))]
    content = file.read_bytes()
    match kind:
        case "truncate":
            file.write_bytes(content[: rng.integers(1, len(content))])
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("I am not an image")
        case "wrong mode":
            Image.new("CMYK", (40, 30)).save(file, format="TIFF")
        case "wrong size":
            Image.new("L", (int(rng.integers(1, 90)), 7)).save(file)
        case "odd name":
            file.rename(file.with_name("ä b'\"<img onerror=x>.png"))
        case "loop":
            file.unlink()
            link(file, file)
        case "unreadable":
            file.chmod(0)
        case "folder as file":
            file.unlink()
            file.mkdir()
        case "flip bytes":
            noisy = bytearray(content)
            for place in rng.integers(0, len(noisy), 20):
                noisy[place] ^= 0xFF
            file.write_bytes(bytes(noisy))
        case "other suffix":
            file.rename(file.with_suffix(".webp"))
        case "remove":
            file.unlink()


@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_damaged_folders_give_findings_or_one_message(clean, seed):
    rng = np.random.default_rng(seed)
    for _ in range(rng.integers(1, 6)):
        damage(clean, rng)
    try:
        found = check(clean)
        assert found.in_words() and json.dumps(found.as_dict())
    except UserError as error:
        assert str(error)
    try:
        open_data(recipe_from_words(["method=imas", f"data={clean}", "data.val=val"]))
    except UserError as error:
        assert str(error)


def test_the_command_is_known():
    assert "check" in {c.callback.__name__ for c in cli.app.registered_commands if c.callback}


def test_image_labels_that_training_would_refuse_are_an_error(clean):
    (clean / "tags.csv").write_text("p12,a\n")
    words = ["data.names=[a, b]", f"data.image_labels={clean}/tags.csv"]
    text = "\n".join(f.what for f in check(clean, *words).findings)
    assert "does not name the unlabeled image 'p13'" in text
