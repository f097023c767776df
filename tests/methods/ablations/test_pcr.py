"""The switches of PCR change what its ablations say, and nothing else."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fewmask.batch import IGNORE, Batch, Progress
from fewmask.config import validate
from fewmask.errors import UserError
from fewmask.methods.ablations.pcr import Ablation, read_vectors
from fewmask.methods.pcr import PCR
from fewmask.models import create_model
from fewmask.parts.losses import SupervisedLoss
from fewmask.parts.pseudo_labels import PseudoLabel
from tests.conftest import TINY, FakeMinimize

START = Progress(step=0, total_steps=100, steps_per_epoch=10)
TERMS = ("labeled", "unlabeled", "prototype_labeled", "prototype_unlabeled")


def method(switches: dict[str, Any] | None = None, **options: Any) -> PCR:
    """Without a warm-up, and with the batch's statistics: the first step has pseudo-labels."""
    torch.manual_seed(0)
    network = create_model(TINY, num_classes=3)
    with torch.no_grad():
        network.head[-1].weight.mul_(30)  # or it would give every pixel the same class
    usual = {"cells": 8, "threshold": 0.5, "warmup_epochs": 0, "teacher_batch_statistics": True}
    options = usual | options
    return PCR(
        lambda: network, PCR.Config(name="pcr", ablation=Ablation(**(switches or {})), **options)
    )


def after_a_step(batch: Batch, switches: dict[str, Any], **options: Any) -> tuple[PCR, dict]:
    pcr = method(switches, **options)
    torch.manual_seed(1)
    pcr.prepare([batch.labeled], START)
    pcr.placed = pcr.prototypes.vectors.clone()
    torch.manual_seed(2)
    return pcr, pcr.step(batch, FakeMinimize(0.05), START).losses


@pytest.fixture
def plain(batch: Batch) -> tuple[PCR, dict[str, Tensor]]:
    return after_a_step(batch, {})


def changed(losses: dict[str, Tensor], others: dict[str, Tensor]) -> set[str]:
    assert tuple(losses) == tuple(others) == TERMS
    return {name for name in losses if not torch.equal(losses[name], others[name])}


@pytest.mark.parametrize("start", ["random", "file"])
def test_prototypes_can_start_elsewhere(batch: Batch, plain, tmp_path: Path, start: str):
    """Of the losses only those of prototypes are others."""
    vectors = torch.randn(3, 4, method().prototypes.vectors.shape[2])
    np.save(tmp_path / "vectors.npy", vectors.flatten(0, 1).double().numpy())
    text = "random" if start == "random" else str(tmp_path / "vectors.npy")
    pcr, losses = after_a_step(batch, {"initialization": text})
    assert pcr.prototypes.known.all() and not torch.allclose(pcr.placed, plain[0].placed)
    if start == "file":
        assert torch.equal(pcr.placed, vectors)
    else:
        assert 0.7 < pcr.placed.std() < 1.3
    assert changed(losses, plain[1]) == {"prototype_labeled", "prototype_unlabeled"}


def test_prototypes_of_a_file_stay_where_they_are_in_the_warm_up(batch: Batch):
    pcr = method({"initialization": "random"}, warmup_epochs=1)
    pcr.prepare([batch.labeled], START)
    vectors = pcr.prototypes.vectors.clone()
    for step in (0, 9):
        pcr.step(batch, FakeMinimize(), START._replace(step=step))
    pcr.prepare([batch.labeled], START._replace(step=10))
    assert torch.equal(pcr.prototypes.vectors, vectors)


SHAPE = torch.Size((3, 4, 8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "cannot be read as a NumPy file"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'", "cannot be read as a NumPy file"),
        (np.zeros((3, 4, 9)), r"shape \[3, 4, 9\]. Expected .* \[3, 4, 8\] or \[12, 8\]"),
        (np.full((3, 4, 8), np.nan), "Expected finite numbers"),
        (np.array([{}], dtype=object), "cannot be read as a NumPy file"),
        (np.full((3, 4, 8), "a"), "holds <U1 of the shape"),
    ],
)
def test_a_file_without_such_vectors_is_refused(tmp_path: Path, content: Any, message: str):
    file = tmp_path / "vectors.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        read_vectors(file, SHAPE)


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "vectors.npy")
    with pytest.raises(UserError, match="there is no such file"):
        read_vectors(tmp_path / "vectors.npy", SHAPE)


def test_a_missing_file_is_noticed_before_the_first_step(batch: Batch, tmp_path: Path):
    pcr = method({"initialization": str(tmp_path / "none.npy")}, warmup_epochs=1)
    with pytest.raises(UserError, match="method.ablation.initialization=.*none.npy"):
        pcr.prepare([batch.labeled], START)


def test_another_word_for_the_start_is_refused():
    with pytest.raises(UserError, match=r"ablation.initialization: expected kmeans, random, or"):
        validate(PCR.Config, {"name": "pcr", "ablation": {"initialization": "kmean"}}, "method")


def test_prototypes_of_unit_features(batch: Batch, plain):
    """Means of unit vectors are no longer than 1; raw ones are."""
    pcr, losses = after_a_step(batch, {"unit_features": True})
    for vectors in (pcr.placed, pcr.prototypes.vectors):
        assert (vectors.norm(dim=-1) <= 1 + 1e-3).all()
    assert (plain[0].placed.norm(dim=-1) > 1.5).any()
    assert changed(losses, plain[1]) == {"prototype_labeled", "prototype_unlabeled"}


def test_averaged_features_have_length_one():
    features = torch.randn(5, 4)
    assert Ablation().averaged(features) is features
    found = Ablation(unit_features=True).averaged(features)
    torch.testing.assert_close(found, F.normalize(features, dim=-1))


def test_the_most_confident_pixels_count_in_place_of_a_threshold(batch: Batch):
    pcr = method({"keep_percent": 60}, threshold=1.0)
    pcr.prepare([batch.labeled], START)
    report = pcr.step(batch, FakeMinimize(), START)
    share = batch.unlabeled.valid.float().mean()
    assert 0.5 * share < report.used_pixels < 0.7 * share
    label, _ = pcr.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid)
    assert 0.5 < (label != IGNORE).sum() / batch.unlabeled.valid.sum() < 0.65
    pseudo = PseudoLabel(torch.zeros(1, 1, 4).long(), torch.tensor([[[0.1, 0.2, 0.3, 0.4]]]))
    found = Ablation(keep_percent=50).confident(pseudo, 0.9)
    assert found.flatten().tolist() == [False, False, True, True]
    assert Ablation(keep_percent=100).confident(pseudo, 0.9).all()
    assert Ablation().confident(pseudo, 0.3).flatten().tolist() == [False, False, True, True]


LABELS_L, LABELS_U = torch.tensor([0, 2]), torch.tensor([1, 0, IGNORE])


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("both", [0, 2, 1, 0, IGNORE]),
        ("labeled", [0, 2, IGNORE, IGNORE, IGNORE]),
        ("none", [IGNORE] * 5),
    ],
)
def test_which_pixels_move_prototypes(batch: Batch, plain, by: str, expected: list[int]):
    """Only where prototypes go changes: not the losses, the student or the teacher."""
    assert Ablation(updated_by=by).moving(LABELS_L, LABELS_U).tolist() == expected
    pcr, losses = after_a_step(batch, {"updated_by": by})
    assert changed(losses, plain[1]) == set()
    same = torch.equal(pcr.prototypes.vectors, plain[0].prototypes.vectors)
    assert same == (by == "both")
    assert torch.equal(pcr.prototypes.vectors, pcr.placed) == (by == "none")
    for name, x in plain[0].state_dict().items():
        assert name.startswith("prototypes") or torch.equal(pcr.state_dict()[name], x), name


def test_the_prototype_predictor_can_learn_from_labels_alone(batch: Batch, plain):
    """The pixels still move prototypes, and the linear head learns from them."""
    pcr, losses = after_a_step(batch, {"labeled_prototypes": True})
    assert losses["prototype_unlabeled"] == 0 < plain[1]["prototype_unlabeled"]
    assert changed(losses, plain[1]) == {"prototype_unlabeled"}
    assert torch.equal(pcr.prototypes.vectors, plain[0].prototypes.vectors)
    decoders = (p.student.decoder.state_dict() for p in (pcr, plain[0]))
    assert any(not torch.equal(a, b) for a, b in zip(*(d.values() for d in decoders), strict=True))


LOGITS = torch.tensor([[4.0, 0, 0], [0, 1, 0], [0.5, 0.2, 0.1], [0, 0, 6], [2, 2, 0], [1, 0, 0]])
TARGETS = torch.tensor([0, 1, 2, 2, 0, IGNORE])


@pytest.mark.parametrize(
    ("threshold", "kept", "expected"),
    [(0.7, 1, 0.863389), (0.7, 3, 0.863389), (0.7, 4, 0.656536), (0.7, 10, 0.526218)],
)
def test_hard_pixels_of_the_spec(threshold: float, kept: int, expected: float):
    """The six pixels are sampled from sixty, so the least number is one tenth."""
    loss = SupervisedLoss(kind="ohem", ohem_threshold=threshold, ohem_min_kept=10 * kept)
    hard = Ablation(ohem_prototypes=True).hard(LOGITS, TARGETS, loss, pixels=60)
    found = F.cross_entropy(LOGITS, hard, ignore_index=IGNORE)
    assert found.item() == pytest.approx(expected, abs=1e-6)
    assert Ablation().hard(LOGITS, TARGETS, loss, pixels=60) is TARGETS


def test_hard_pixels_teach_the_prototype_predictor(batch: Batch):
    loss = SupervisedLoss(kind="ohem", ohem_min_kept=20, ohem_threshold=0.3)
    _, plain = after_a_step(batch, {}, supervised_loss=loss)
    _, losses = after_a_step(batch, {"ohem_prototypes": True}, supervised_loss=loss)
    assert changed(losses, plain) == {"prototype_labeled"}
    assert losses["prototype_labeled"] > plain["prototype_labeled"]
