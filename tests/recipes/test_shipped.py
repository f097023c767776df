"""The shipped recipes: what they promise, and that each one runs."""

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.data.lists.published import find_published
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError
from fewmask.methods import METHODS
from fewmask.recipes.shipped import published_scores, recipe_names, recipe_text
from fewmask.tasks.rehearse import rehearse
from tests.data.trees import SIZES, tree
from tests.program import SMALL

PAPERS = [name for name in recipe_names() if "/" in name and not name.startswith("auto/")]


@pytest.mark.parametrize("name", PAPERS)
def test_published_scores_name_a_list_of_their_own_data_set(name):
    rows = published_scores(name)
    assert rows
    for row in rows:
        published = find_published(row.labeled)
        assert published.kind == "labeled" and published.data_set == name.split("/")[0]
        assert 20 < row.miou < 85
    assert len({(row.labeled, row.encoder) for row in rows}) == len(rows)


def test_every_row_of_the_tables_has_a_recipe():
    assert {name.split("/")[0] for name in PAPERS} == {"voc", "cityscapes", "coco"}
    assert {n.split("/")[1] for n in PAPERS if n.startswith("voc/")} == {
        "supervised", "imas", "pcr", "gta", "pseudoseg",
    }  # fmt: skip


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
