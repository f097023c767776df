"""Every method trains every decoder: prototypes, mask predictor and class maps fit each one."""

import pytest
import torch

from fewmask.methods import METHODS, pseudoseg
from fewmask.models import ModelConfig, Segmenter, create_model
from fewmask.models.decoders import DECODERS
from fewmask.parts.losses import soft_cross_entropy
from tests.conftest import MID_TRAINING, past_warm_up

every_method = pytest.mark.parametrize("method", METHODS)
every_decoder = pytest.mark.parametrize("decoder", DECODERS)


def network(decoder: str) -> Segmenter:
    """A tiny network, on an encoder that the decoder is made for."""
    if decoder.startswith("smp:"):
        pytest.importorskip("segmentation_models_pytorch")
    encoder = "PatchEncoder" if decoder == "dpt" else "Encoder"
    torch.manual_seed(0)
    return create_model(ModelConfig(encoder=f"tests.tiny:{encoder}", decoder=decoder), 3)


@every_decoder
@every_method
def test_a_step_trains_every_part(batch, minimize, method, decoder):
    trained = past_warm_up(method, network(decoder))
    trained.prepare([batch.labeled], MID_TRAINING._replace(step=0))  # PCR places its prototypes
    student = trained.student
    before = {name: p.detach().clone() for name, p in student.named_parameters()}
    report = trained.step(batch, minimize, MID_TRAINING)
    assert all(torch.isfinite(x.float()).all() for x in report.by_name().values())
    moved = {name for name, p in student.named_parameters() if not torch.equal(p, before[name])}
    assert {name.split(".")[0] for name in moved} == {"encoder", "decoder", "head"}


@every_decoder
@every_method
def test_what_is_evaluated_has_the_size_of_the_image(batch, method, decoder):
    trained = past_warm_up(method, network(decoder))
    trained.prepare([batch.labeled], MID_TRAINING._replace(step=0))
    image = torch.randn(2, 3, 33, 47)
    with torch.no_grad():
        for predictor in trained.eval().predictors().values():
            assert predictor(image).upsampled_logits.shape == (2, 3, 33, 47)
    trained.train()
    pseudo = trained.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid)
    assert pseudo is None or pseudo.label.shape == batch.unlabeled.valid.shape


@every_decoder
def test_the_mask_predictor_of_gta_seg_is_the_head(decoder):
    gta = past_warm_up("gta", network(decoder))
    names = [name for name, _ in gta.student.named_parameters()]
    flowing = [names[i] for i in gta.flowing]
    assert {name.split(".")[0] for name in flowing} == {"encoder", "decoder"}
    assert len(flowing) == len(names) - len(list(gta.student.head.parameters()))


@pytest.mark.parametrize(("decoder", "size"), [("deeplabv3plus", (9, 9)), ("dpt", (7, 7))])
def test_pseudoseg_compares_its_views_at_stride_4(batch, minimize, monkeypatch, decoder, size):
    """Also after a ViT, whose maps of 2 x 2 pixels have stride 14."""
    method = past_warm_up("pseudoseg", network(decoder))
    sizes = []

    def compared(logits, *rest):
        sizes.append(tuple(logits.shape[-2:]))
        return soft_cross_entropy(logits, *rest)

    monkeypatch.setattr(pseudoseg, "soft_cross_entropy", compared)
    method.step(batch, minimize, MID_TRAINING)
    assert sizes == [size]
