"""Pseudo-labels that keep all classes, in numbers that can be checked by hand."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from fewmask.batch import IGNORE
from fewmask.engine.launch import launch
from fewmask.engine.settings import MachineConfig
from fewmask.parts import processes
from fewmask.parts.class_balance import (
    MOMENTUM,
    RAREST,
    STRIDE,
    Alignment,
    ClassThresholds,
    class_quantiles,
)
from fewmask.parts.pseudo_labels import PseudoLabel

# Five pixels of class 0, none of class 1, two of class 2, and one without a label.
LABEL = torch.tensor([0, 2, 0, 255, 0, 0, 2, 0])
VALUES = torch.tensor([0.5, 0.9, 0.1, 0.7, 0.3, 0.4, 0.8, 0.2])


@pytest.mark.parametrize(
    ("share", "of_0", "of_2"),
    [(0, 0.1, 0.8), (0.3, 0.2, 0.8), (0.4, 0.3, 0.8), (0.5, 0.3, 0.9), (0.99, 0.5, 0.9)],
)
def test_quantiles_are_values_of_their_own_class(share, of_0, of_2):
    quantiles, counts = class_quantiles(LABEL, VALUES, 3, share)
    assert counts.tolist() == [5, 0, 2]
    torch.testing.assert_close(quantiles[[0, 2]], torch.tensor([of_0, of_2]))


def test_quantiles_are_torchs_where_those_fall_on_a_value():
    torch.manual_seed(0)
    label, values = torch.randint(0, 4, (4, 101)).flatten(), torch.rand(404)
    quantiles, counts = class_quantiles(label, values, 4, 0.3)
    for k in range(4):
        assert counts[k] == (label == k).sum()
        # The value with `floor(share * count)` smaller ones.
        place = int(0.3 * counts[k]) / (int(counts[k]) - 1)
        torch.testing.assert_close(quantiles[k], values[label == k].quantile(place))


def test_without_labels_there_is_nothing_to_count():
    _, counts = class_quantiles(torch.full((6,), IGNORE), torch.rand(6), 3, 0.5)
    assert counts.tolist() == [0, 0, 0]


def blocks(rows: list[list[float]]) -> Tensor:
    """[1, H, W] in which each number fills a square of which one pixel is looked at."""
    return torch.tensor([rows]).repeat_interleave(STRIDE, dim=1).repeat_interleave(STRIDE, dim=2)


def pseudo(labels: list[list[int]], confidences: list[list[float]]) -> PseudoLabel:
    return PseudoLabel(blocks(labels), blocks(confidences))


SEEN = pseudo([[0, 0, 0, 0], [2, 2, IGNORE, 0]], [[0.9, 0.8, 0.7, 0.6], [0.4, 0.3, 1.0, 0.5]])


def test_each_class_keeps_its_surest_pixels():
    thresholds = ClassThresholds(3, dropped=0.5)
    thresholds.update(SEEN)
    torch.testing.assert_close(thresholds.thresholds, torch.tensor([0.7, 0.0, 0.4]))
    # A pixel of class 2 counts with less confidence than one of class 0 that does not.
    expected = blocks([[True, True, True, False], [True, False, False, False]])
    assert torch.equal(thresholds(SEEN), expected)


def test_what_has_no_pseudo_label_never_counts():
    thresholds = ClassThresholds(3, dropped=0.5)  # all thresholds are 0
    assert torch.equal(thresholds(SEEN), SEEN.label != IGNORE)
    unknown = SEEN._replace(confidence=torch.full_like(SEEN.confidence, float("nan")))
    assert not thresholds(unknown).any()


def test_thresholds_start_with_the_first_pixels_of_their_class_and_then_follow_slowly():
    thresholds = ClassThresholds(3, dropped=0)
    thresholds.update(pseudo([[0, 0]], [[0.8, 0.6]]))
    thresholds.end_step()
    thresholds.update(pseudo([[0, 1]], [[0.9, 0.5]]))
    thresholds.end_step()
    expected = [MOMENTUM * 0.6 + (1 - MOMENTUM) * 0.9, 0.5, 0]
    torch.testing.assert_close(thresholds.thresholds, torch.tensor(expected))
    thresholds.update(pseudo([[IGNORE, IGNORE]], [[0.1, 0.1]]))  # shows no class at all
    torch.testing.assert_close(thresholds.thresholds, torch.tensor(expected))


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_the_rounds_of_a_step_move_running_values_as_one_batch(rounds):
    torch.manual_seed(0)
    logits, valid = torch.randn(2, 8, 3, 8, 8), torch.rand(2, 8, 8, 8) > 0.3
    labels, confidence = torch.randint(0, 3, (2, 8, 16, 16)), torch.rand(2, 8, 16, 16)

    def after_two_steps(rounds: int) -> list[Tensor]:
        alignment, thresholds = Alignment(3, 1), ClassThresholds(3, 0.3)
        for step in zip(logits, valid, labels, confidence, strict=True):
            for share in zip(*(x.chunk(rounds) for x in step), strict=True):
                alignment.update(*share[:3])
                thresholds.update(PseudoLabel(*share[2:]))
            alignment.end_step()
            thresholds.end_step()
        return [*alignment.buffers(), *thresholds.buffers()]

    torch.testing.assert_close(after_two_steps(rounds), after_two_steps(1), atol=1e-6, rtol=0)


def logits_of(*probs: float) -> Tensor:
    """Logits [1, K, 1, 1] with these probabilities."""
    return torch.tensor(probs).log().view(1, -1, 1, 1)


def knowing(strength: float, prior: list[float], predicted: list[float]) -> Alignment:
    alignment = Alignment(len(prior), strength)
    alignment.prior.copy_(torch.tensor(prior))
    alignment.predicted.copy_(torch.tensor(predicted))
    return alignment


@pytest.mark.parametrize(
    ("strength", "prior", "predicted"),
    [
        (1, [0.5, 0.25, 0.25], [0.64, 0.18, 0.18]),  # all the way to the prior
        (0.5, [1 / 3, 1 / 3, 1 / 3], [4 / 6, 1 / 6, 1 / 6]),  # 4 : 1 on the way to 1 : 1 is 2 : 1
    ],
)
def test_predictions_move_to_the_shares_of_the_labels(strength, prior, predicted):
    moved = knowing(strength, prior, predicted)(logits_of(*predicted)).softmax(dim=1)
    torch.testing.assert_close(moved.flatten(), torch.tensor([0.5, 0.25, 0.25]))


def test_alignment_that_is_off_changes_nothing():
    alignment, logits = knowing(0, [0.9, 0.1], [0.1, 0.9]), torch.randn(1, 2, 3, 3)
    assert alignment(logits) is logits
    before = alignment.prior.clone(), alignment.predicted.clone()
    alignment.update(logits, torch.ones(1, 3, 3, dtype=torch.bool), torch.zeros(1, 6, 6).long())
    assert torch.equal(alignment.prior, before[0]) and torch.equal(alignment.predicted, before[1])


def test_a_class_without_labels_is_held_back_but_not_forbidden():
    alignment = knowing(1, [1.0, 0.0], [0.5, 0.5])
    moved = alignment(torch.zeros(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(moved, torch.tensor([1 / 0.5, RAREST / 0.5]).log())


def test_half_precision_stays_half_precision():
    alignment = knowing(1, [0.5, 0.5], [0.8, 0.2])
    assert alignment(torch.zeros(1, 2, 1, 1, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_shares_are_those_of_labeled_pixels_and_of_predictions_outside_padding():
    alignment = Alignment(3, 1)
    logits = torch.cat([logits_of(0.8, 0.1, 0.1), logits_of(0.1, 0.1, 0.8)], dim=3)
    labels = torch.tensor([[[0, 0, 1, 255], [0, 255, 255, 255]]])
    alignment.update(logits, torch.tensor([[[True, False]]]), labels)
    start = 0.99 / 3
    expected = [[start + 0.01 * x for x in row] for row in ([0.75, 0.25, 0], [0.8, 0.1, 0.1])]
    torch.testing.assert_close(alignment.prior, torch.tensor(expected[0]))
    torch.testing.assert_close(alignment.predicted, torch.tensor(expected[1]))


def test_a_batch_of_padding_without_labels_favors_no_class():
    alignment, logits = knowing(1, [0.6, 0.4], [0.9, 0.1]), torch.randn(1, 2, 3, 3)
    before = alignment(logits).softmax(dim=1)
    nothing = torch.full((1, 6, 6), IGNORE)
    alignment.update(logits, torch.zeros(1, 3, 3, dtype=torch.bool), nothing)
    torch.testing.assert_close(alignment(logits).softmax(dim=1), before)


def followed(share: slice) -> dict[str, list[float]]:
    """What both parts know after two batches of which this process has a share."""
    torch.manual_seed(0)
    alignment, thresholds = Alignment(3, 1), ClassThresholds(3, 0.3)
    for _ in range(2):
        logits, valid = torch.randn(4, 3, 8, 8), torch.rand(4, 8, 8) > 0.3
        labels, confidence = torch.randint(0, 3, (4, 16, 16)), torch.rand(4, 16, 16)
        labels[0] = IGNORE
        alignment.update(logits[share], valid[share], labels[share])
        thresholds.update(PseudoLabel(labels[share], confidence[share]))
        alignment.end_step()
        thresholds.end_step()
    state = alignment.state_dict() | thresholds.state_dict()
    return {name: x.tolist() for name, x in state.items()}


def test_whatever_they_remember_survives_a_checkpoint():
    assert followed(slice(0, 4)).keys() == {"prior", "predicted", "thresholds"}


def told(fabric: Fabric) -> dict[str, list[float]]:
    """What the first of two processes knows; the second one would notice a difference."""
    found = followed(slice(2 * processes.rank(), 2 * processes.rank() + 2))
    for values in found.values():
        both = processes.gather(torch.tensor([values]))
        assert torch.equal(both[0], both[1])
    return found


@pytest.mark.slow
def test_two_processes_know_what_one_would():
    found = launch(MachineConfig(devices=2, accelerator="cpu"), "fp32", told)
    alone = followed(slice(0, 4))
    assert found.keys() == alone.keys()
    for name, values in found.items():
        assert values == pytest.approx(alone[name], abs=1e-6), name
