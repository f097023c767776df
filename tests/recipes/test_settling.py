"""What a recipe leaves open is worked out from data and machine."""

import re

import pytest

from fewmask.cli.words import recipe_from_words
from fewmask.models.decoders.decoder import decoder_config
from fewmask.recipes import settle
from tests.data.trees import opened, tree


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
    assert settled.training.evaluate_every == 2  # one for each pass, as the papers count the best
    assert settled.training.evaluate_every_epochs is None
    assert "Evaluations: every 2 steps (training.evaluate_every_epochs=1)." in said
    assert settle(settled, data)[0].training == settled.training
    assert "80 passes over 4 unlabeled images are 160 steps" in said[0]
    supervised = recipe_from_words(
        ["voc/supervised", f"data.root={tmp_path}", "loader.labeled_batch=2", "data.labeled=3"]
    )
    assert settle(supervised, data)[0].training.steps == 80  # one step per pass over 3 labeled


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


def test_balanced_class_weights_are_worked_out_and_written_down(tmp_path):
    tree("camvid", tmp_path)
    words = [f"data.root={tmp_path}", "data.labeled=2", "method=supervised"]
    words += ["method.supervised_loss.class_weights=balanced"]
    recipe = recipe_from_words(["camvid", *words])
    settled, said = settle(recipe, opened("camvid", tmp_path, labeled=2))
    weights = settled.method.supervised_loss.class_weights
    assert len(weights) == 11 and max(weights) / min(weights) < 1.2  # equal bands
    assert any("Class weights: sky" in sentence for sentence in said)


def test_the_recipe_names_the_decoder_that_was_chosen(tmp_path):
    """Later versions, in which `auto` may stand for another one, build the same network."""
    tree("voc", tmp_path)
    data = opened("voc", tmp_path, labeled=3)
    for encoder, name in (("Encoder", "deeplabv3plus"), ("PatchEncoder", "dpt")):
        words = [f"data.root={tmp_path}", f"model.encoder=tests.tiny:{encoder}"]
        words += ["model.multi_grid=null", "model.ceil_pool=false"]
        settled, said = settle(recipe_from_words(["voc/imas", *words]), data)
        assert settled.model.decoder == decoder_config(name)
        assert f"The decoder for tests.tiny:{encoder} is {name}." in said
        again, said = settle(settled, data)
        assert again.model == settled.model and not any("decoder" in note for note in said)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("method=pcr",), None),  # 1 epoch: 4 unlabeled images in twos are 2 steps
        (("method=pcr", "training.steps=2"), "warmup_epochs=1 lasts 2 steps and the run 2, so no"),
        (("method=gta", "method.warmup_steps=6"), "warmup_steps=6 lasts 6 steps and the run 5"),
        (
            ("method=imas", "method.copy_steps=1", "method.ablation.supervised_steps=5"),
            "method.ablation.supervised_steps=5 lasts 5 steps and the run 5, so no step uses",
        ),
        (("method=imas", "method.copy_epochs=3"), "copy_epochs=3 lasts 6 steps .* stays a copy"),
        (("method=gta", "method.warmup_epochs=9", "method.warmup_steps=4"), None),
        (("method=supervised",), None),
    ],
)
def test_a_warm_up_as_long_as_the_run_is_named(words, says, tmp_path):
    words = (*words, *(["training.steps=5"] if "training.steps=2" not in words else []))
    (tmp_path / "paper.yaml").write_text("data: {name: voc}\n")
    words = (tmp_path / "paper.yaml", f"data.root={tmp_path}", "loader.unlabeled_batch=2", *words)
    tree("voc", tmp_path)
    _, said = settle(recipe_from_words(words), opened("voc", tmp_path, labeled=3))
    found = [note for note in said if "lasts" in note]
    assert len(found) == (says is not None)
    assert says is None or re.search(says, found[0])
