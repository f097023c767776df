"""The shipped recipes: what they promise, and that each one runs."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.data.lists.published import find_published
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError
from fewmask.methods import METHODS
from fewmask.recipes.shipped import (
    PublishedScore,
    list_of,
    published_score,
    published_scores,
    recipe_names,
    recipe_text,
    recipe_values,
    training_command,
)
from fewmask.tasks.rehearse import rehearse
from tests.data.trees import SIZES, tree
from tests.program import SMALL, fewmask

PAPERS = [name for name in recipe_names() if "/" in name and not name.startswith("auto/")]


@pytest.mark.parametrize("name", PAPERS)
def test_published_scores_name_a_list_of_their_own_data_set(name):
    rows = published_scores(name)
    assert rows
    for row in rows:
        published = find_published(row.labeled)
        assert published.kind == "labeled" and published.data_set == name.split("/")[0]
        assert 20 < row.miou < 92
    assert len({(row.labeled, row.encoder, row.settings) for row in rows}) == len(rows)


def test_every_row_of_the_tables_has_a_recipe():
    assert {name.split("/")[0] for name in PAPERS} == {"voc", "cityscapes", "coco"}
    methods = {"supervised", "imas", "pcr", "gta", "pseudoseg", "unimatch", "unimatch_v2", "augseg"}
    for data_set, more in (("voc", {"cps"}), ("cityscapes", set())):
        found = {n.split("/")[1] for n in PAPERS if n.startswith(f"{data_set}/")}
        assert found == methods | more


def rows(recipe, encoder, stride, lists, scores):
    names = [f"{recipe.partition('/')[0]}/{name}" for name in lists.split()]
    pairs = zip(names, scores, strict=True)
    return [(recipe, name, encoder, stride, score) for name, score in pairs]


CLASSIC = "u2pl/92 u2pl/183 u2pl/366 u2pl/732 u2pl/1464"
BLENDER = "u2pl/662 u2pl/1323 u2pl/2646 u2pl/5291"
CPS = "cps/662 cps/1323 cps/2646"
CITY = "u2pl/186 u2pl/372 u2pl/744 u2pl/1488"
COCO = "pseudoseg/512_all pseudoseg/256_all pseudoseg/128_all pseudoseg/64_all pseudoseg/32_all"
R50, R101, X65 = "resnet50s", "resnet101s", "xception65.tf_in1k"
DINO_B, PARTS = "vit_base_patch14_dinov2", "unimatch/1_16 unimatch/1_8 unimatch/1_4 unimatch/1_2"
UNIMATCH = "unimatch/92 unimatch/183 unimatch/366 unimatch/732 unimatch/1464"
HEADLINES = [
    *rows("voc/imas", R101, 8, "unimatch/92 unimatch/1464", (70.0, 82.0)),
    *rows("voc/imas", R50, 8, CPS, (75.9, 76.7, 77.1)),
    *rows("voc/imas", R101, 8, CPS, (77.2, 78.4, 79.3)),
    *rows("voc/pcr", R101, 8, CLASSIC, (70.06, 74.71, 77.16, 78.49, 80.65)),
    *rows("voc/pcr", R101, 8, BLENDER, (78.60, 80.71, 80.78, 80.91)),
    *rows("voc/gta", R101, 8, CLASSIC, (70.02, 73.16, 75.57, 78.37, 80.47)),
    *rows("voc/gta", R101, 8, "u2pl/5291", (81.01,)),
    *rows("voc/pseudoseg", X65, 16, "pseudoseg/4_clean pseudoseg/16_clean_3", (73.79, 67.06)),
    *rows("voc/pseudoseg", R101, 16, "unimatch/1464", (73.23,)),
    *rows("voc/cps", R101, 16, CPS, (74.48, 76.44, 77.68)),
    *rows("voc/cps", R50, 16, "cps/1323", (73.28,)),
    *rows("voc/cps", R101, 16, "u2pl/92 u2pl/183 u2pl/366 u2pl/732", (64.07, 67.42, 71.71, 75.88)),
    *rows("voc/augseg", R101, 16, CPS, (77.01, 77.31, 78.82)),
    *rows("cityscapes/augseg", R101, 16, CITY, (75.22, 77.82, 79.56, 80.43)),
    *rows("cityscapes/imas", R50, 16, CITY, (74.3, 77.4, 78.1, 79.3)),
    *rows("cityscapes/imas", R50, 8, CITY, (75.2, 78.0, 78.2, 80.2)),
    *rows("cityscapes/pcr", R101, 8, CITY, (73.41, 76.31, 78.40, 79.11)),
    *rows("cityscapes/gta", R101, 8, "u2pl/186 u2pl/372 u2pl/744", (69.38, 72.02, 76.08)),
    *rows("cityscapes/pseudoseg", R101, 16, "u2pl/744", (72.36,)),
    *rows("coco/pseudoseg", X65, 16, COCO, (29.78, 37.11, 39.11, 41.75, 43.64)),
    *rows("voc/unimatch", R101, 16, UNIMATCH, (75.2, 77.2, 78.8, 79.9, 81.2)),
    *rows("cityscapes/unimatch", R50, 16, PARTS, (75.0, 76.8, 77.5, 78.6)),
    *rows("voc/unimatch_v2", DINO_B, None, UNIMATCH, (86.29, 87.92, 88.86, 89.98, 90.80)),
    *rows("cityscapes/unimatch_v2", DINO_B, None, PARTS, (83.60, 84.30, 84.51, 85.14)),
]
"""The numbers of the papers to compare with: recipe, list, encoder, output stride, mIoU."""


def settled(recipe: str, row: PublishedScore):
    """The recipe that the command of a published score describes."""
    program, verb, *words = training_command(recipe, row).split()
    assert (program, verb, words[0]) == ("fewmask", "train", recipe)
    return recipe_from_words(words)


@pytest.mark.parametrize("name", PAPERS)
def test_the_command_of_every_published_score_is_one_for_its_list_and_encoder(name):
    for row in published_scores(name):
        recipe = settled(name, row)
        assert recipe.data.labeled == row.labeled and recipe.model.encoder == row.encoder


def test_every_headline_has_its_command_and_its_number():
    found = {
        (name, row.labeled, row.encoder, settled(name, row).model.output_stride, row.miou)
        for name in PAPERS
        for row in published_scores(name)
    }
    assert {*HEADLINES} <= found
    listed = fewmask("recipes").splitlines()
    for name, labeled, encoder, _, miou in HEADLINES:
        line = f"    {labeled:26}{miou:6.2f}  {encoder:18} "
        begin = next(i for i, text in enumerate(listed) if text.startswith(f"{name} "))
        assert any(text.startswith(line) for text in listed[begin:]), (name, line)


def test_output_stride_8_of_imas_is_trained_as_a_recipe_with_that_stride():
    row = next(r for r in published_scores("voc/imas") if r.miou == 79.3)
    recipe = settled("voc/imas", row)
    assert (recipe.model.output_stride, recipe.training.reference_devices) == (8, 8)
    assert recipe_values("voc/imas")["model"]["output_stride"] == 16


def test_xception_of_pseudoseg_has_the_averages_and_dropout_of_its_code():
    row = next(r for r in published_scores("voc/pseudoseg") if r.encoder == X65)
    recipe = settled("voc/pseudoseg", row)
    assert recipe.model.batchnorm_momentum == 0.0003 and recipe.method.classifier_dropout == 0.5
    coco = settled("coco/pseudoseg", published_scores("coco/pseudoseg")[0])
    assert recipe.model == coco.model and recipe.method == coco.method


def test_a_number_is_the_list_of_that_size_among_the_scores_of_a_recipe():
    assert list_of("voc/imas", "92") == "voc/unimatch/92"
    assert list_of("voc/pcr", "662") == "voc/u2pl/662"
    assert list_of("voc/pseudoseg", "366") == "voc/pseudoseg/4_clean"
    assert list_of("voc/imas", "93") == "93" and list_of("voc/imas", "my.txt") == "my.txt"
    assert list_of("camvid", "46") == "46" and list_of(None, "46") == "46"
    with pytest.raises(UserError, match="for voc/cps/662 and voc/u2pl/662. Name the one you mean"):
        list_of("voc/supervised", "662")


def test_the_published_score_is_that_of_the_same_list_encoder_and_output_stride():
    lists = ["voc/unimatch/1_4", "voc/cps/2646"]  # two names of one list
    assert published_score("voc/imas", lists, R101, 16) == 78.08
    assert published_score("voc/imas", lists, R101, 8) == 79.3
    assert published_score("voc/imas", lists, R50, 8) == 77.1
    assert published_score("voc/imas", lists, "vit_small_patch14_dinov2", None) is None
    assert published_score("voc/fewmatch", lists, R101, 16) is None
    assert published_score("voc/unimatch_v2", ["voc/unimatch/92"], DINO_B, None) == 86.29
    assert published_score("camvid", [], R101, 16) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_every_recipe_takes_a_step_at_reduced_size(name, tmp_path):
    data_set, method = name.split("/")
    root = tree(data_set, tmp_path)
    words = [f"data.root={root}", f"data.labeled={SIZES[data_set][0]}", *SMALL]
    if method in ("pcr", "gta"):
        words.append("method.warmup_epochs=0")
    if method == "pcr":
        words.append("method.cells=8")
    if method == "supervised":
        words.remove("loader.unlabeled_batch=2")
    recipe, cost = rehearse(recipe_from_words([name, *words]))
    assert cost.step > 0 and recipe.training.steps > 0


def test_steps_on_the_command_line_replace_the_epochs(tmp_path):
    recipe = recipe_from_words(["voc/imas", "data.root=x", "training.steps=7"])
    assert recipe.training.steps == 7 and recipe.training.epochs is None
    recipe = recipe_from_words(["coco/pseudoseg", "data.root=x", "training.epochs=3"])
    assert recipe.training.epochs == 3


def test_the_learning_rates_of_the_papers():
    voc = recipe_from_words(["voc/imas", "data.root=x"]).training
    assert (voc.lr, voc.head_lr_factor, voc.weight_decay) == (0.001, 10, 1e-4)
    assert isinstance(voc, TrainingConfig)
    pseudoseg = recipe_from_words(["coco/pseudoseg", "data.root=x"]).training
    assert (pseudoseg.lr, pseudoseg.weight_decay, pseudoseg.steps) == (0.007, 4e-5, 200_000)


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_trained_in_fp32_and_evaluated_after_each_epoch(name):
    training = recipe_from_words([name, "data.root=x"]).training
    assert training.precision == "fp32"
    assert training.evaluate_every_epochs == (None if training.epochs is None else 1)
    # Their scores are those of the last step.
    is_counted_in_steps = "pseudoseg" in name or name == "coco/supervised"
    assert (training.epochs is None) == is_counted_in_steps


def test_every_shipped_recipe_validates():
    assert {"camvid", "synthetic", "voc/imas", "cityscapes/pcr"} < set(recipe_names())
    for name in recipe_names():
        words = {"synthetic": [], "auto": ["data=synthetic"]}
        assert recipe_from_words([name, *words.get(name.split("/")[0], ["data.root=somewhere"])])
    assert recipe_from_words(["synthetic"]).method.name == "imas"
    recipe = recipe_from_words(["camvid", "data.root=somewhere", "data.labeled=46"])
    automatic = recipe_from_words(["auto/cpu", "data=synthetic"])
    assert recipe.loader == automatic.loader and recipe.method == automatic.method
    assert recipe.training.minutes is None


@pytest.mark.parametrize("recipe", ["synthetic", "camvid", "animals"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_validates_in_every_recipe(recipe, method):
    words = ["data.root=somewhere"] if recipe != "synthetic" else []
    assert recipe_from_words([recipe, *words, f"method={method}"]).method.name == method


def test_animals_takes_a_step_on_a_prepared_voc_at_reduced_size(tmp_path):
    words = ["animals", f"data.root={tree('voc', tmp_path)}", "data.labeled=3", *SMALL]
    recipe, cost = rehearse(recipe_from_words(words))
    assert cost.step > 0 and len(recipe.data.classes) == 7 and recipe.method.name == "fewmatch"


def test_a_folder_in_the_place_of_a_recipe_is_recognized(tmp_path):
    with pytest.raises(UserError, match="is a folder, not a recipe. .*data="):
        recipe_text(str(tmp_path))
