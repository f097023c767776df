"""A method is prepared for its device in place, and its health knows its options."""

import pytest
import torch
from lightning_fabric import Fabric

from fewmask.cli.words import recipe_from_words
from fewmask.engine import setup
from fewmask.engine.minimizer import Minimizer
from fewmask.methods import METHODS
from fewmask.models import create_model
from tests.conftest import TINY, TINY_WORDS, past_warm_up


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_placed_teacher_computes_in_the_precision_of_the_run(precision, student):
    method = past_warm_up("imas", student)
    names = [*method.state_dict()]
    recipe = recipe_from_words(["synthetic", *TINY_WORDS])
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    minimizer = setup.place(method, fabric, recipe.source().open(), recipe)
    assert isinstance(minimizer, Minimizer) and [*method.state_dict()] == names
    seen = []
    convolution = next(m for m in method.teacher.modules() if isinstance(m, torch.nn.Conv2d))
    convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    method.teacher(torch.zeros(1, 3, 33, 33))
    assert seen == [torch.float32 if precision == "32-true" else torch.bfloat16]


@pytest.mark.parametrize("name", METHODS)
def test_health_knows_the_options_of_the_method_and_the_shares_of_the_classes(name):
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, f"method={name}"])
    data = recipe.source().open()
    method = past_warm_up(name, create_model(TINY, len(data.classes)))
    health = setup.create_health(method, data, recipe)
    assert {
        f"method.{option}" for option in method.config.model_dump()
    } - health.remedies.values.keys() <= {"method.supervised_loss", "method.ablation"}
    assert {"loader.class_balanced", "training.lr"} <= health.remedies.values.keys()
    if method.views is None:
        assert health.prior is None
    else:
        assert health.prior.sum() == pytest.approx(1)
