"""The contract of a decoder: found by name, checked options, messages about what does not fit."""

import pytest
import torch

from fewmask.cli.words import recipe_from_words
from fewmask.config import validate
from fewmask.errors import UserError
from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders import DECODERS
from fewmask.models.decoders.decoder import Decoder, chosen, create_decoder, decoder_config
from fewmask.models.decoders.deeplabv3plus import DeepLabV3Plus
from fewmask.models.encoders.stages import Stages
from tests.conftest import TINY_WORDS

PATH = "tests.models.decoders.test_decoder:"
THREE = Stages((8, 16, 32), (4, 8, 16))
PYRAMID = Stages((8, 16, 32, 32), (4, 8, 16, 32))
PLAIN = Stages((16,) * 4, (16,) * 4)  # of a ViT


class Linear(Decoder):
    """The last stage, scaled: as small as a decoder gets."""

    class Config(Decoder.Config):
        """One option."""

        factor: float = 1.0
        """Features are multiplied by it."""

    config: Config

    def __init__(self, stages: Stages, config: Config):
        super().__init__(stages, config)
        self.out_channels, self.out_stride = stages.channels[-1], stages.strides[-1]

    def forward(self, stages):
        return self.config.factor * stages[-1]


class Silent(Linear):
    """Does not say what its features are like."""

    def __init__(self, stages: Stages, config: Linear.Config):
        Decoder.__init__(self, stages, config)


class Greedy(Linear):
    """Reads more stages than encoders have."""

    takes = (0, 1, 2, 3, 4)


def test_a_decoder_without_a_name_is_the_one_of_before():
    for given in ({}, {"channels": 8}, {"name": "deeplabv3plus", "channels": 8}, "deeplabv3plus"):
        assert isinstance(ModelConfig(decoder=given).decoder, DeepLabV3Plus.Config)
    assert ModelConfig(decoder={"channels": 8}).decoder.channels == 8
    assert list(ModelConfig().model_dump()["decoder"])[0] == "name"
    assert create_decoder(THREE, ModelConfig().decoder).config == DeepLabV3Plus.Config()


def test_the_default_depends_on_the_encoder():
    assert ModelConfig().decoder.name == "auto"
    for stages, name in ((PLAIN, "dpt"), (PYRAMID, "deeplabv3plus"), (THREE, "deeplabv3plus")):
        assert chosen(decoder_config("auto"), stages) == decoder_config(name)
    two = Stages((8, 8), (16, 16))  # DPT needs four
    assert create_decoder(two, decoder_config("auto")).config.name == "deeplabv3plus"
    half = decoder_config({"name": "dpt", "stride": "half"})
    assert chosen(half, PYRAMID) == half  # what is named is not replaced


def test_auto_has_no_options():
    words = ["synthetic", "model.decoder=auto", "model.decoder.channels=8"]
    with pytest.raises(UserError, match="model.decoder.channels: model.decoder=auto has no option"):
        recipe_from_words(words)
    assert recipe_from_words(words[:2]).model.decoder.name == "auto"


def test_settings_survive_a_recipe_file():
    config = ModelConfig(decoder={"name": PATH + "Linear", "factor": 2.0})
    assert validate(ModelConfig, config.model_dump(mode="json"), "model") == config


def test_ones_own_decoder_is_found_from_the_command_line():
    for word in ("model.decoder", "model.decoder.name"):
        words = [f"{word}={PATH}Linear", "model.decoder.factor=3"]
        config = recipe_from_words(["synthetic", "model.encoder=test_resnet", *words]).model
        model = create_model(config, 5)
        image = torch.randn(2, 3, 33, 47)
        output = model(image)
        assert output.logits.shape[:2] == (2, 5) and output.upsampled_logits.shape[2:] == (33, 47)
        assert torch.equal(output.features, 3 * model.encoder(image)[-1])


def test_options_of_ones_own_decoder_are_checked_like_ours():
    with pytest.raises(UserError, match="model.decoder.faktor: unknown option.*factor'"):
        recipe_from_words(["synthetic", f"model.decoder={PATH}Linear", "model.decoder.faktor=3"])
    with pytest.raises(UserError, match="model.decoder.factor='x'"):
        recipe_from_words(["synthetic", f"model.decoder={PATH}Linear", "model.decoder.factor=x"])


def test_an_unknown_decoder_comes_with_the_nearest():
    with pytest.raises(UserError, match="unknown decoder.*'deeplabv3plus'.*package.module:Class"):
        recipe_from_words(["synthetic", "model.decoder=deeplabv3"])


@pytest.mark.parametrize("typed", ["smp:UperNet", "smp:upernet", "smp:UPerNett"])
def test_an_unknown_decoder_of_smp_comes_with_the_nearest(typed):
    with pytest.raises(UserError, match=f"model.decoder={typed}: .*Did you mean 'smp:UPerNet'"):
        recipe_from_words(["synthetic", f"model.decoder={typed}"])


def test_smps_dpt_is_refused_because_it_reads_more_than_maps():
    with pytest.raises(UserError, match="model.decoder=smp:DPT: .*Did you mean 'dpt'"):
        decoder_config("smp:DPT")


def test_stages_that_a_decoder_cannot_use_are_named():
    config = decoder_config(PATH + "Greedy")
    with pytest.raises(UserError, match=r"Greedy reads .*gives 3 feature map.*\[4, 8, 16"):
        create_decoder(THREE, config)


def test_an_auxiliary_head_needs_a_second_stage():
    decoder = create_decoder(Stages((8,), (16,)), decoder_config(PATH + "Linear"))
    with pytest.raises(UserError, match=r"model.aux_head=true.*reads the stages \[-2\]"):
        decoder.make_aux_head(3)
    assert create_decoder(THREE, decoder.config).make_aux_head(3).in_channels == 16


def test_what_is_no_decoder_is_refused():
    with pytest.raises(UserError, match="does not say its out_channels"):
        create_decoder(THREE, decoder_config(PATH + "Silent"))
    with pytest.raises(
        UserError, match="not a class that derives from fewmask.models.decoders.dec"
    ):
        create_decoder(THREE, Decoder.Config(name="fewmask.models:Segmenter"))


def test_a_function_is_no_decoder():
    with pytest.raises(UserError, match=r"model.decoder=fewmask.batch:normalize: this is not a cl"):
        recipe_from_words(["synthetic", "model.decoder=fewmask.batch:normalize"])


@pytest.mark.parametrize("name", DECODERS)
def test_each_decoder_keeps_the_contract(name):
    if name.startswith("smp:"):
        pytest.importorskip("segmentation_models_pytorch")
    shape = {"dpt": PLAIN}.get(name, PYRAMID if name.startswith("smp:") else THREE)
    decoder = create_decoder(shape, decoder_config(name))
    stages = [torch.randn(2, c, 64 // s, 64 // s) for c, s in zip(*shape, strict=True)]
    features = decoder(stages)
    side = int(64 / decoder.out_stride)
    assert features.shape == (2, decoder.out_channels, side, side)
    logits = decoder.make_head(5)(features)
    assert logits.shape == (2, 5, side, side)
    assert decoder.make_aux_head(5)(stages[decoder.aux_takes]).shape[:2] == (2, 5)
    assert decoder.config.name == name
    logits.sum().backward()  # a parameter without a gradient would stop several processes
    assert all(p.grad is not None for p in decoder.parameters())


@pytest.mark.parametrize("name", DECODERS)
def test_every_option_has_a_sentence(name):
    fields = type(decoder_config(name)).model_fields.values()
    assert all(info.description and info.description.endswith((".", ")")) for info in fields)


def test_a_run_with_ones_own_decoder_can_be_loaded(tmp_path):
    import fewmask

    words = [word for word in TINY_WORDS if "decoder" not in word]
    words += [f"model.decoder={PATH}Linear", "method=pcr", "method.cells=4", "training.steps=2"]
    run = fewmask.train("synthetic", *words, out=tmp_path / "run")
    predictor = fewmask.load(run.folder)
    assert isinstance(predictor.network.decoder, Linear)


@pytest.mark.parametrize(("decoder", "built"), [("auto", "DPT"), ("segformer", "SegFormer")])
def test_a_run_on_a_plain_encoder_can_be_loaded_and_continued(tmp_path, decoder, built):
    import fewmask

    words = [word for word in TINY_WORDS if "decoder" not in word]
    words += ["model.encoder=tests.tiny:PatchEncoder", f"model.decoder={decoder}"]
    run = fewmask.train("synthetic", *words, "training.steps=2", out=tmp_path / "run")
    network = fewmask.load(run.folder).network
    assert type(network.decoder).__name__ == built
    assert run.recipe.model.decoder == network.decoder.config  # by name, with every option
    assert fewmask.resume(run.folder, "training.steps=3").is_finished
