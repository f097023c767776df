"""Your own images: hold-out, lists, small YAML files, and one clear error per mistake."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewmask.data.sources.folder import Folder, folder_values
from fewmask.errors import UserError
from tests.data.own_folder import checked, expect, opened_folder, save_mask


def test_names_with_a_hash_are_names(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for i, name in enumerate(("#0", "#1", "#2", *(f"p{i}" for i in range(3, 9)))):
        pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        if i < 6:
            Image.fromarray(pixels[:, :, 0] % 2).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "l.txt").write_text("# three and one\n#0\n#1\n#2\np3\n")
    for seed in range(50):
        try:
            data = checked(tmp_path, labeled=Path("l.txt"), val_fraction=0.2, split_seed=seed)
        except UserError:
            continue  # one of them is held out
        assert set(data.labeled.names) == {"#0", "#1", "#2", "p3"}
        return
    raise AssertionError("every draw holds one of them out")


def test_only_a_held_out_val_is_drawn(photos):
    def draws_val(**options):
        return Folder(Folder.Config(name="folder", root=photos, **options)).draws_val()

    assert draws_val() and not draws_val(val=Path("val.txt"))


def test_the_inventory_holds_every_file_and_mask(photos):
    save_mask(photos, "other", np.ones((40, 60), np.uint8))
    (photos / "images" / "p9.gif").write_bytes(b"x")
    (photos / "val.txt").write_text("p0\n")
    found = Folder(Folder.Config(name="folder", root=photos, val=Path("val.txt"))).inventory()
    stems = {subset: [file.stem for file in files] for subset, files in found.images.items()}
    assert stems == {
        "labeled": ["p1", "p2", "p3", "p4"], "unlabeled": ["p5", "p6", "p7"], "val": ["p0"]
    }  # fmt: skip
    assert [file.stem for file in found.masks["labeled"]] == stems["labeled"]
    assert [file.name for file in found.unpaired] == ["other.png"]
    assert [file.name for file in found.unread] == ["p9.gif"] and not found.was_opened


def test_images_without_a_mask_are_unlabeled(photos):
    data = checked(photos)
    assert sorted(data.unlabeled.names) == ["p5", "p6", "p7"]
    assert len(data.labeled) == 4 and len(data.val) == 1
    assert not set(data.labeled.names) & set(data.val.names)
    assert len(data.classes) == 2
    assert any("held out" in note for note in data.notes)


def test_the_hold_out_is_drawn_with_the_seed(photos):
    drawn = [
        opened_folder(photos, val_fraction=0.4, split_seed=s).val.names for s in (0, 1, 2, 3, 0)
    ]
    assert drawn[0] == drawn[4]
    assert len({tuple(names) for names in drawn}) > 1


def test_lists_choose_labeled_and_val(photos):
    (photos / "labeled.txt").write_text("p0\nimages/p1.jpg\n")
    (photos / "val.txt").write_text("# held out\np2.jpg\n")
    data = checked(photos, labeled=Path("labeled.txt"), val=Path("val.txt"))
    assert data.labeled.names == ["p0", "p1"] and data.val.names == ["p2"]
    assert data.unlabeled.names == ["p3", "p4", "p5", "p6", "p7"]


def test_a_val_folder_of_its_own(photos, tmp_path):
    for kind in ("images", "masks"):
        (photos / "held" / kind).mkdir(parents=True)
    Image.new("RGB", (20, 20)).save(photos / "held/images/q.png")
    Image.new("L", (20, 20), 1).save(photos / "held/masks/q.png")
    data = checked(photos, val=Path("held"))
    assert data.val.names == ["q"] and len(data.labeled) == 5


def test_a_small_yaml_file(photos):
    (photos / "data.yaml").write_text(
        "names: [ground, plant]\nlabel_mapping: {1: 1}\nignore: [9]\n"
    )
    values = folder_values(photos / "data.yaml")
    data = Folder(Folder.Config(**values)).open()
    assert data.classes.names == ("ground", "plant")


def test_mask_values_are_mapped_and_ignored(photos):
    for i in range(5):
        shape = (40, 60) if i % 2 else (50, 50)
        mask = np.full(shape, 7, np.uint8)
        mask[:10] = 200
        mask[10:12] = 42
        save_mask(photos, f"p{i}", mask)
    data = checked(photos, names=("a", "b"), label_mapping={7: 0, 200: 1}, ignore=(42,))
    assert np.unique(data.labeled.mask(0)).tolist() == [0, 1, 255]


def test_palette_masks_keep_their_numbers(photos):
    for i in range(5):
        picture = Image.open(photos / "masks" / f"p{i}.png")
        picture.putpalette([200, 10, 10, 10, 200, 10])
        picture.save(photos / "masks" / f"p{i}.png")
    assert set(np.unique(checked(photos).labeled.mask(0))) == {0, 1}


def test_a_label_outside_the_classes(photos):
    mask = np.zeros((50, 50), np.uint8)
    mask[0, 0] = 34
    save_mask(photos, "p0", mask)
    expect(photos, "p0.png", "34", "0..1", "label_mapping", names=("a", "b"))


def test_a_mask_of_another_size(photos):
    save_mask(photos, "p1", np.ones((40, 61), np.uint8))
    expect(photos, "p1.png", "61x40", "60x40", names=("a", "b"))


def test_a_mask_in_colors(photos):
    Image.new("RGB", (60, 40), "red").save(photos / "masks" / "p1.png")
    expect(photos, "p1.png", "RGB", "palette or gray", names=("a", "b"))


@pytest.mark.parametrize("place", ["images/p6.jpg", "images/p0.jpg", "masks/p2.png"])
def test_a_truncated_file(photos, place):
    content = (photos / place).read_bytes()
    (photos / place).write_bytes(content[: len(content) // 2])
    expect(photos, Path(place).name, "Cannot read", names=("a", "b"))


def test_a_file_that_is_no_image(photos):
    (photos / "images/p7.jpg").write_text("hello")
    expect(photos, "p7.jpg", "Cannot read", "replace it")


def test_a_list_entry_without_a_file(photos):
    (photos / "labeled.txt").write_text("p0\np99\n")
    expect(photos, "labeled.txt", "p99", labeled=Path("labeled.txt"))


def test_a_missing_or_empty_folder(photos, tmp_path):
    expect(tmp_path / "nothing", "nothing", "no such folder")
    (tmp_path / "empty" / "images").mkdir(parents=True)
    expect(tmp_path / "empty", "holds no pictures")
    expect(photos, "no folder", "mask", masks=Path("labels"))


def test_labeled_images_inside_val(photos):
    (photos / "labeled.txt").write_text("p0\np1\n")
    (photos / "val.txt").write_text("p1\np2\n")
    expect(photos, "p1", "val", labeled=Path("labeled.txt"), val=Path("val.txt"))


def test_nothing_unlabeled(photos):
    for i in (5, 6, 7):
        (photos / "images" / f"p{i}.jpg").unlink()
    expect(photos, "no unlabeled images", "supervised")


def test_photos_turned_by_their_exif_tag_are_read_upright(photos):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (60, 40)).save(photos / "images/p5.jpg", exif=exif)
    data = checked(photos)
    assert data.unlabeled.image(data.unlabeled.names.index("p5")).shape == (60, 40, 3)


def test_what_is_held_out_hardly_changes_with_more_masks(photos):
    before = opened_folder(photos)
    for i in (5, 6, 7):
        shutil.copy(photos / "masks" / f"p{i - 4}.png", photos / "masks" / f"p{i}.png")
    after = opened_folder(photos)
    assert len(after.val) == 2 and len(before.val) == 1
    kept = set(before.val.names) & set(after.val.names)
    new = {"p5", "p6", "p7"}
    assert kept or set(after.val.names) <= new  # only a new image can push an old one out


def test_one_class_is_no_model(photos):
    with pytest.raises(UserError, match="two classes or more"):
        opened_folder(photos, names=("all",))


def test_a_data_file_names_it_from_its_own_folder(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a, b]\nimage_labels: labels.csv\n")
    values = folder_values(tmp_path / "data.yaml")
    assert values["image_labels"] == str(tmp_path / "labels.csv")
