"""Names of images and masks that belong together although they differ."""

import shutil

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.data.affixes import NO_AFFIXES, Affixes, folder_of, proposed
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from tests.data.checks.photos import said, write_clean

NAMINGS = {
    "mask_suffix=_mask": ("{}", "{}_mask"),
    "mask_prefix=mask_": ("{}", "mask_{}"),
    "image_suffix=_0000": ("case_{}_0000", "case_{}"),
    "mask_suffix=_gtFine_labelIds data.image_suffix=_leftImg8bit": (
        "a_{}_leftImg8bit",
        "a_{}_gtFine_labelIds",
    ),
    "mask_suffix=.jpg": ("{}", "{}.jpg"),
    "mask_prefix=seg data.image_prefix=img": ("img_{}", "seg_{}"),
    "image_prefix=img_": ("img_{}", "{}"),
}


@pytest.mark.parametrize(("options", "names"), NAMINGS.items())
def test_check_and_train_propose_what_pairs_all_masks(options, names, tmp_path):
    root = write_clean(tmp_path / "photos")
    shutil.rmtree(root / "val")
    for kind, pattern in zip(("images", "masks"), names, strict=True):
        for file in (root / kind).iterdir():
            file.rename(file.with_name(pattern.format(file.stem) + file.suffix))
    proposal = f"paired with data.{options}."
    assert proposal in said(root, "data.val=null")
    recipe = [f"data={root}", "method=imas"]
    with pytest.raises(UserError) as error:
        open_data(recipe_from_words(recipe))
    assert proposal in str(error.value)
    data = open_data(recipe_from_words([*recipe, *f"data.{options}".split()]))
    assert (len(data.labeled) + len(data.val), len(data.unlabeled)) == (12, 4)
    assert data.labeled.mask(0).max() == 1


def test_nothing_is_proposed_unless_all_masks_fit():
    assert proposed(["a", "b"], ["a_mask", "c_mask"]) is None
    assert proposed(["a", "b"], ["x"]) is None
    assert proposed(["a"], ["a"]) is None and proposed([], ["a"]) is None


def test_masks_in_a_subfolder_of_their_own(tmp_path):
    root = write_clean(tmp_path / "photos")
    inner = root / "masks" / "crops"
    inner.mkdir()
    for file in [file for file in (root / "masks").iterdir() if file.is_file()]:
        file.rename(inner / file.name)
    recipe = [f"data={root}", "method=imas"]
    with pytest.raises(UserError, match=f"paired with data.masks={inner}"):
        open_data(recipe_from_words(recipe))
    assert f"paired with data.masks={inner}" in said(root, "data.val=null")
    assert "not read" not in said(root, "data.val=null")
    data = open_data(recipe_from_words([*recipe, f"data.masks={inner}"]))
    assert len(data.labeled) + len(data.val) == 12
    assert folder_of(["a"], [inner / "a.png", inner / "b.png"]) is None


def test_names_count_in_one_unicode_form():
    assert Affixes(mask_suffix="_m").of_mask("x/mu\u0308hle_m") == "x/m\u00fchle"
    assert Affixes(mask_suffix="_m").of_mask("x/mill") is None
    assert NO_AFFIXES.of_image("mu\u0308hle") == "m\u00fchle"


def beside(tmp_path, photo, mask):
    """Photos and masks in one folder, renamed by the two patterns."""
    root = write_clean(tmp_path / "photos")
    for kind, pattern in (("images", photo), ("masks", mask)):
        for file in (root / kind).iterdir():
            file.rename(root / pattern.format(file.stem))
    for name in ("images", "masks", "val"):
        shutil.rmtree(root / name)
    return [f"data={root}", "data.images=.", "data.masks=.", "method=imas"]


def test_photos_and_masks_may_lie_in_one_folder(tmp_path):
    words = beside(tmp_path, "{}.png", "{}_mask.png")
    with pytest.raises(UserError, match="nothing tells them apart"):
        open_data(recipe_from_words(words))
    data = open_data(recipe_from_words([*words, "data.mask_suffix=_mask"]))
    assert (len(data.labeled) + len(data.val), len(data.unlabeled)) == (12, 4)


def test_beside_jpeg_photos_other_files_are_masks(tmp_path):
    data = open_data(recipe_from_words(beside(tmp_path, "{}.jpg", "{}.png")))
    assert (len(data.labeled) + len(data.val), len(data.unlabeled)) == (12, 4)
    assert data.labeled.mask(0).max() == 1


def test_masks_and_predictions_below_the_photos_are_no_photos(tmp_path):
    root = write_clean(tmp_path / "photos")
    shutil.rmtree(root / "val")
    for file in (root / "images").iterdir():
        file.rename(root / file.name)
    shutil.copytree(root / "masks", root / "predicted" / "overlays")
    (root / "predicted" / "made_by.json").touch()
    data = open_data(recipe_from_words([f"data={root}", "data.images=.", "method=imas"]))
    assert (len(data.labeled) + len(data.val), len(data.unlabeled)) == (12, 4)


def test_an_image_suffix_alone_tells_photos_from_masks(tmp_path):
    words = beside(tmp_path, "{}_photo.png", "{}.png")
    data = open_data(recipe_from_words([*words, "data.image_suffix=_photo"]))
    assert (len(data.labeled) + len(data.val), len(data.unlabeled)) == (12, 4)
    with pytest.raises(UserError, match="nothing tells them apart"):
        open_data(recipe_from_words([*words, "data.mask_prefix=p"]))  # all names begin so
