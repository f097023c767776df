"""The recipes of the papers' tables: what they promise, and that each one runs."""

import json

import pytest
import torch

import fewmask
from fewmask.cli.words import recipe_from_words
from fewmask.data.lists.published import find_published
from fewmask.engine.settings import TrainingConfig
from fewmask.errors import UserError
from fewmask.evaluation import EvaluationConfig
from fewmask.recipes import settle
from fewmask.recipes.shipped import published_scores, recipe_names
from fewmask.run_folder.comparing import warnings
from fewmask.run_folder.result import in_words, read_result
from fewmask.tasks import train
from fewmask.tasks.results import table
from tests.data.trees import SIZES, opened, tree

PAPERS = [name for name in recipe_names() if "/" in name]
SMALL = (
    "model.pretrained=false", "training.accumulate=1", "loader.labeled_batch=2",
    "loader.unlabeled_batch=2", "loader.crop=65", "machine.workers=0", "machine.accelerator=cpu",
    "training.precision=fp32",
)  # fmt: skip


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
    recipe, seconds, _ = train.rehearse(recipe_from_words([name, *words]))
    assert seconds > 0 and recipe.training.steps > 0


def test_epochs_become_steps_as_the_papers_count_them(tmp_path):
    """92 labels: 10,490 unlabeled images in batches of 16 are 655 steps; here 4 in twos are 2."""
    recipe = recipe_from_words(
        [
            "voc/imas",
            f"data.root={tree('voc', tmp_path)}",
            "data.labeled=3",
            "loader.unlabeled_batch=2",
        ]
    )
    data = opened("voc", tmp_path, labeled=3)
    settled, said = settle(recipe, data)
    assert settled.training.steps == 80 * 2 and settled.training.epochs is None
    assert "80 passes over 4 unlabeled images are 160 steps" in said[0]
    supervised = recipe_from_words(
        ["voc/supervised", f"data.root={tmp_path}", "loader.labeled_batch=2", "data.labeled=3"]
    )
    assert settle(supervised, data)[0].training.steps == 80  # one step per pass over 3 labeled


def test_steps_on_the_command_line_replace_the_epochs(tmp_path):
    recipe = recipe_from_words(["voc/imas", "data.root=x", "training.steps=7"])
    assert recipe.training.steps == 7 and recipe.training.epochs is None
    recipe = recipe_from_words(["coco/pseudoseg", "data.root=x", "training.epochs=3"])
    assert recipe.training.epochs == 3


def test_fewer_devices_than_the_paper_keep_the_batch_by_accumulation(tmp_path):
    tree("voc", tmp_path)
    data = opened("voc", tmp_path, labeled=3)

    def rounds(*words):
        recipe = recipe_from_words(["voc/imas", f"data.root={tmp_path}", *words])
        settled, said = settle(recipe, data)
        return settled.training.accumulate, " ".join(said)

    accumulate, said = rounds()
    assert accumulate == 4
    assert (
        "16 labeled + 16 unlabeled images was made for 4 devices. With 1, each step takes it in 4"
        in said
    )
    assert rounds("machine.devices=2")[0] == 2
    assert rounds("machine.devices=4") == (1, rounds("machine.devices=4")[1])
    assert "rounds, and BatchNorm" not in rounds("machine.devices=4")[1]
    assert rounds("training.accumulate=1")[0] == 1


def test_a_protocol_is_a_name_for_settings():
    config = EvaluationConfig(protocol="cityscapes")
    assert (config.mode, config.window, config.stride) == ("sliding", 769, 513)
    assert (config.at_border, config.average) == ("shift", "logits")
    assert EvaluationConfig(**config.model_dump()) == config  # a written recipe reads back
    assert config.in_words().startswith("sliding window 769/513, shift at the border, logits")
    assert "not comparable" in EvaluationConfig(protocol="training_crop").in_words()
    recipe = recipe_from_words(["cityscapes/imas", "data.root=x"])
    assert (recipe.evaluation.stride, recipe.evaluation.average) == (512, "probs")
    for word, says in (
        ("mode=sliding", "protocol=voc means mode=whole, but mode=sliding"),
        ("flip=true", "means flip=False, but flip=True"),
        ("scales=[0.5,1]", "means scales"),
        ("pad_to=99", "means pad_to=None"),
    ):
        with pytest.raises(UserError, match=says):
            recipe_from_words(["voc/imas", "data.root=x", f"evaluation.{word}"])
    with pytest.raises(UserError, match="stride=40 leaves gaps between windows of 33"):
        recipe_from_words(["camvid", "data.root=x", "evaluation.window=33", "evaluation.stride=40"])
    with pytest.raises(UserError, match="Did you mean 'cityscapes'"):
        recipe_from_words(["voc/imas", "data.root=x", "evaluation.protocol=cityscape"])


def test_the_learning_rates_of_the_papers():
    voc = recipe_from_words(["voc/imas", "data.root=x"]).training
    assert (voc.lr, voc.head_lr_factor, voc.weight_decay) == (0.001, 10, 1e-4)
    assert isinstance(voc, TrainingConfig)
    pseudoseg = recipe_from_words(["coco/pseudoseg", "data.root=x"]).training
    assert (pseudoseg.lr, pseudoseg.weight_decay, pseudoseg.steps) == (0.007, 4e-5, 200_000)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Two short runs on CamVid's format with lists of one size, but not the same images."""
    folder = tmp_path_factory.mktemp("runs")
    root = tree("camvid", folder / "data")
    (folder / "other.txt").write_text("train_1\ntrain_3\n")
    for name, labeled in (("a", "2"), ("b", folder / "other.txt")):
        words = (
            "data=camvid", f"data.root={root}", f"data.labeled={labeled}", "method=imas",
            "model.encoder=test_resnet", "model.decoder.channels=8", *SMALL, "training.steps=4",
            "training.evaluate_every=2",
        )  # fmt: skip
        fewmask.train(*words, out=folder / name)
    return folder


def test_results_show_student_and_teacher_last_and_best(two_runs):
    result = read_result(two_runs / "a")
    assert set(result.networks) == {"student", "teacher"} and result.steps == 4
    for score in result.networks.values():
        assert score.best >= score.last and score.best_step in (2, 4)
    assert "teacher" in table([result]) and "of 4)" in table([result])
    assert "selected on these same images" in in_words(result)


def test_results_warn_of_lists_that_differ(two_runs):
    results = [read_result(two_runs / name) for name in "ab"]
    (warning,) = warnings(results)
    assert "both have 2 labeled images, but not the same ones" in warning
    assert warnings(results[:1]) == []
    with pytest.raises(UserError, match="not the folder of a run"):
        read_result(two_runs)


def test_the_list_is_written_into_run_folder_and_checkpoint(two_runs):
    facts = json.loads((two_runs / "a" / "splits" / "facts.json").read_text())
    assert facts["labeled"]["count"] == 2 and facts["val"]["count"] == 2
    card = torch.load(two_runs / "a" / "weights" / "best.pt", weights_only=True)
    assert card["labeled"] == facts["labeled"]


def test_a_resumed_run_keeps_its_images(two_runs):
    labeled = two_runs / "data" / "splits" / "labeled_2.txt"
    before = labeled.read_text()
    labeled.write_text("train_1\ntrain_3\n")
    with pytest.raises(UserError, match="labeled images of .* have changed since the run began"):
        fewmask.resume(two_runs / "a", "training.steps=6")
    labeled.write_text(before)


def test_unfinished_runs_are_called_so(two_runs):
    folder = two_runs / "a"
    whole = (folder / "results.csv").read_text()
    (folder / "results.csv").write_text("\n".join(whole.splitlines()[:3]) + "\n")
    assert "unfinished: 2 of 4 steps" in warnings([read_result(folder)])[0]
    (folder / "results.csv").write_text("step,network,miou,pixel_accuracy\n")
    with pytest.raises(UserError, match="not the folder of a run"):
        read_result(folder)
    (folder / "results.csv").write_text(whole)


def test_balanced_class_weights_are_worked_out_and_written_down(tmp_path):
    tree("camvid", tmp_path)
    words = [f"data.root={tmp_path}", "data.labeled=2", "method=supervised"]
    words += ["method.supervised_loss.class_weights=balanced"]
    recipe = recipe_from_words(["camvid", *words])
    settled, said = settle(recipe, opened("camvid", tmp_path, labeled=2))
    weights = settled.method.supervised_loss.class_weights
    assert len(weights) == 11 and max(weights) / min(weights) < 1.2  # equal bands
    assert any("Class weights: sky" in sentence for sentence in said)
