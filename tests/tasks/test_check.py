"""`fewmask check`: every typical mistake is named, in words that say what to do; no tracebacks."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from fewmask import cli
from fewmask.cli.words import recipe_from_words
from fewmask.data.images import read_image
from fewmask.errors import UserError
from fewmask.report.draft import write_draft
from fewmask.runs.build import open_data
from fewmask.tasks import check as checking
from tests.data import trees
from tests.program import fewmask

WORDS = ("method=imas",)


@pytest.fixture
def clean(tmp_path):
    """Twelve labeled and four unlabeled photos of two classes, and four for val: nothing wrong."""
    rng = np.random.default_rng(0)
    root = tmp_path / "photos"
    for place, count, masked in ((root, 16, 12), (root / "val", 4, 4)):
        for kind in ("images", "masks"):
            (place / kind).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / "images" / f"p{i:02d}.png")
            if i < masked:
                mask = np.zeros((30, 40), np.uint8)
                mask[5:20, 5:30] = 1
                Image.fromarray(mask).save(place / "masks" / f"p{i:02d}.png")
    return root


def check(root, *words):
    return checking.check(recipe_from_words([f"data={root}", "data.val=val", *words]))


def said(root, *words):
    return "\n".join(finding.in_words() for finding in check(root, *words).findings)


def test_a_clean_folder(clean):
    found = check(clean, "data.names=[ground, house]")
    assert found.exit_code == 0 and found.findings == []
    assert found.shares["labeled"]["house"] == (375 / 1200, 12)
    assert "12 labeled, 4 unlabeled, 4 val images" in found.in_words()


def test_files_that_cannot_be_read(clean):
    image, mask = clean / "images" / "p03.png", clean / "masks" / "p04.png"
    image.write_bytes(image.read_bytes()[:500])
    mask.write_bytes(b"")
    text = said(clean)
    assert "1 labeled image(s) cannot be read" in text and "p03.png" in text
    assert "1 mask(s) of labeled images cannot be read" in text and "p04.png" in text
    assert check(clean).exit_code == 2


def test_masks_without_an_image(clean):
    (clean / "masks" / "p05.png").rename(clean / "masks" / "p05_mask.png")
    assert "1 mask(s) belong to no image. (p05_mask.png may belong to an image named p05.)" in said(
        clean
    )


def test_masks_of_another_size_and_masks_that_lie_on_their_side(clean):
    Image.new("L", (20, 15)).save(clean / "masks" / "p01.png")
    photo = Image.open(clean / "images" / "p02.png").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    (clean / "images" / "p02.png").unlink()
    photo.rotate(0).save(clean / "images" / "p02.jpg", exif=exif)
    Image.new("L", photo.size).save(clean / "masks" / "p02.png")
    text = said(clean)
    assert "p01.png is 20x15, its image 40x30" in text
    assert "1 mask(s) lie on their side" in text and "1 photo(s) are turned upright" in text


def test_photos_turned_without_a_change_of_size_are_to_be_looked_at(clean):
    exif = Image.Exif()
    exif[0x0112] = 3
    photo = Image.open(clean / "images" / "p02.png")
    (clean / "images" / "p02.png").unlink()
    photo.save(clean / "images" / "p02.jpg", exif=exif)
    assert "1 labeled photo(s) are turned by their EXIF tag, but keep their size" in said(clean)
    assert check(clean).exit_code == 1


def test_binary_masks_get_a_mapping(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)) * 255).save(file)
    text = said(clean)
    assert "hold the values 0, 255" in text and "data.label_mapping='{0: 0, 255: 1}'" in text
    found = check(clean, "data.label_mapping={0: 0, 255: 1}")
    assert found.exit_code == 0 and found.shares["labeled"]["class 1"][1] == 12


def test_values_that_are_no_classes_get_a_mapping(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)) * 128 + 10).save(file)
    assert "data.label_mapping='{10: 0, 138: 1}'" in said(clean)
    named = said(clean, "data.names=[a, b]")
    assert "error: The masks hold the values 10, 138, but there are 2 classes (0..1)" in named
    assert check(clean, "data.label_mapping={10: 0, 138: 1}").exit_code == 0


def test_16_bit_masks(clean):
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) * 1000).save(file)
    assert "data.label_mapping='{0: 0, 1000: 1}'" in said(clean)
    words = (f"data={clean}", "data.val=val", "data.label_mapping={0: 0, 1000: 1}")
    assert check(clean, words[2]).exit_code == 0
    data = open_data(recipe_from_words(["method=imas", "data.names=[a, b]", *words]))
    assert np.unique(data.val.mask(0)).tolist() == [0, 1]


def test_masks_coded_in_colors_get_a_palette(clean):
    colors = np.array([[255, 255, 255], [200, 0, 10]], np.uint8)
    for file in clean.rglob("masks/*.png"):
        Image.fromarray(colors[np.asarray(Image.open(file))]).save(file)
    palette = """data.palette={"#ffffff": 0, "#c8000a": 1}"""
    assert """data.palette='{"#ffffff": 0, "#c8000a": 1}'""" in said(clean)
    assert check(clean, palette).exit_code == 0
    words = ("method=imas", f"data={clean}", "data.val=val", palette)
    mask = open_data(recipe_from_words(words)).labeled.mask(0)
    assert mask[10, 10] == 1 and mask[0, 0] == 0
    file = clean / "masks" / "p00.png"
    Image.open(file).resize((80, 60)).resize((40, 30)).save(file)  # smoothed
    assert "color(s) that data.palette does not name" in said(clean, palette)
    with pytest.raises(UserError, match=r"p00.png has \d+ pixels in colors"):
        open_data(recipe_from_words(words))


def test_empty_rare_and_missing_classes(clean):
    Image.new("L", (40, 30), 255).save(clean / "masks" / "p00.png")
    mask = np.zeros((30, 40), np.uint8)
    mask[0, 0] = 2
    Image.fromarray(mask).save(clean / "masks" / "p01.png")
    text = said(clean, "data.names=[ground, house, well, tree]")
    assert "1 mask(s) hold no label at all" in text
    assert "Class 'well' is rare" in text and "Class 'tree' is in no labeled image." in text


def test_the_same_image_twice_and_in_val(clean):
    shutil.copy(clean / "images" / "p01.png", clean / "images" / "p13.png")
    shutil.copy(clean / "images" / "p02.png", clean / "val" / "images" / "p00.png")
    photo = np.asarray(Image.open(clean / "images" / "p03.png").resize((40, 30)))
    smooth = np.asarray(Image.fromarray(photo).resize((9, 8)).resize((40, 30)))
    Image.fromarray(smooth).save(clean / "images" / "p03.png")
    Image.fromarray(smooth).save(clean / "val" / "images" / "p01.jpg", quality=95)
    (clean / "val" / "images" / "p01.png").unlink()
    text = said(clean)
    assert "error: 1 val image(s) are the same file as a labeled image (p00.png = p02.png)" in text
    assert "warning: 1 unlabeled image(s) are the same file as a labeled image" in text
    assert "1 val image(s) look almost like a labeled image (p01.jpg, p03.png)" in text


def test_few_or_no_masks(clean):
    for i in range(3, 12):
        (clean / "masks" / f"p{i:02d}.png").unlink()
    assert "Only 3 image(s) have a mask" in said(clean)
    shutil.rmtree(clean / "masks")
    assert "No image has a mask" in said(clean)


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
    assert "also in val" in "\n".join(
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


def test_two_images_of_one_stem(clean):
    Image.open(clean / "images" / "p01.png").save(clean / "images" / "p01.jpg")
    words = said(clean)
    assert "error: 2 images have one stem, and one mask is theirs: p01.png" in words
    with pytest.raises(UserError, match="Two images in .* are called 'p01'"):
        open_data(recipe_from_words([f"data={clean}", *WORDS]))


def test_16_bit_photos_that_come_out_dark(clean):
    assert "almost black" not in said(clean)
    for i, most in ((0, 4095), (1, 65535), (2, 255)):
        file = clean / "images" / f"p{i:02d}.png"
        values = np.random.default_rng(i).integers(0, most, (30, 40)).astype(np.uint16)
        values[0, 0] = most
        Image.fromarray(values).save(file)
    words = said(clean)
    assert "2 image(s) hold 16-bit numbers, but none above 4095" in words
    assert "multiply by 16" in words and "p00.png" in words


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I;16", "LA", "1", "P", "F"])
def test_every_kind_of_image_is_read_as_rgb(mode, suffix, tmp_path):
    gray = np.tile(np.linspace(0, 255, 40), (30, 1))
    if mode == "I;16":
        picture = Image.fromarray((gray * 257).astype(np.uint16))
    elif mode == "F":
        picture = Image.fromarray((gray / 255).astype(np.float32))
    else:
        picture = Image.fromarray(gray.astype(np.uint8)).convert(mode)
    file = tmp_path / f"image.{suffix}"
    if suffix == "webp" and mode in ("I;16", "F"):
        pytest.skip("webp files have 8 bits")
    try:
        picture.save(file)
    except (OSError, ValueError, KeyError):
        pytest.skip(f"{suffix} files cannot be {mode}")
    image = read_image(file)
    assert image.shape == (30, 40, 3) and image.dtype == np.uint8
    assert image[:, -3:].mean() > 200 > 60 > image[:, :3].mean()


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
            os.symlink(file, file)
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
