"""Prototypes: golden numbers are from PCR's official functions or its published fragments."""

import pytest
import torch
import torch.nn.functional as F

from fewmask.errors import UserError
from fewmask.parts.losses import cross_entropy
from fewmask.parts.prototypes import Prototypes, features_at, kmeans, lloyd, stratified_points

ROWS = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[5.0, 0.0], [1.0, -1.0]]])  # [K, P, D]
PIXELS = torch.tensor([[1.0, 0], [0, 3], [1, 1], [-2, 1], [4, 3], [2, -2]])
LABELS = torch.tensor([1, 0, 0, 255, 0, 1])


def prototypes(rows: torch.Tensor = ROWS) -> Prototypes:
    made = Prototypes(*rows.shape, temperature=0.1)
    made.vectors.copy_(rows)
    made.known.fill_(True)
    return made


def follow(ours: Prototypes, *vectors: torch.Tensor) -> None:
    ours.collect(*vectors)
    ours.move(momentum=0.99)


def close(found, expected, atol=1e-5) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=atol, rtol=0)


def test_logits_and_nearest():
    logits, nearest = prototypes()(torch.cat([PIXELS, torch.zeros(1, 2)]))
    expected = [
        [6.0, 10.0],
        [10.0, 0.0],
        [9.899495, 7.071068],
        [4.472136, -8.944272],
        [9.6, 8.0],
        [-1.414213, 10.0],
        [0.0, 0.0],
    ]
    close(logits, expected)
    assert nearest.tolist() == [[0, 0], [1, 0], [0, 0], [1, 0], [0, 0], [0, 1], [0, 0]]


def test_larger_logits():
    x = torch.sin(0.7 * torch.arange(32) + 0.3).view(2, 4, 4)  # [B, D, H W]
    rows = torch.cos(1.1 * torch.arange(24) + 0.2).view(3, 2, 4)
    logits, nearest = prototypes(rows)(x.transpose(1, 2).reshape(8, 4))
    expected = [
        [[-0.346736, 2.398672, 2.443510, 2.201878], [2.063571, 3.097075, 2.136939, 1.316625]],
        [[0.117137, -1.184430, -0.171215, 2.422769], [2.300709, 2.529428, 1.952526, 3.045589]],
    ]
    close(logits.view(2, 4, 3).transpose(1, 2)[:, :2], expected)
    close(logits.view(2, 4, 3)[1, :, 2], [2.333375, 1.932735, 0.144162, -0.422314])
    assert nearest.tolist()[:2] == [[0, 0, 1], [0, 1, 0]]
    assert nearest.tolist()[4:] == [[1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_update_moves_the_nearest_prototype_of_the_labeled_class():
    cond = torch.tensor([True, True, True, True, False, True])
    ours = prototypes()
    nearest = ours(PIXELS).nearest
    follow(ours, PIXELS, LABELS.masked_fill(~cond, 255), nearest)
    close(ours.vectors, [[[2.98, 3.97], [0.0, 2.01]], [[4.96, 0.0], [1.01, -1.01]]])
    ours = prototypes()
    follow(ours, PIXELS, LABELS, nearest)
    close(ours.vectors[0, 0], [2.995, 3.98])


def test_labeled_and_unlabeled_pixels_update_together():
    labeled = torch.tensor([[1.0, 0], [0, 3], [2, 1]])
    unlabeled = torch.tensor([[2.0, 2], [3, -1], [1, 0.2]])
    both = torch.cat([labeled, unlabeled])
    ours = prototypes()
    logits, nearest = ours(both)
    close(logits[3:], [[9.899495, 7.071068], [3.162278, 9.486833], [7.452414, 9.805807]])
    targets = torch.tensor([1, 0, 255])
    assert cross_entropy(logits[:3], targets).item() == pytest.approx(0.009098, abs=1e-6)
    pseudo, confidence = torch.tensor([0, 1, 1]), torch.tensor([0.85, 0.70, 0.95])
    for threshold, expected in ((0.65, 0.050004), (0.80, 0.049407)):
        loss = cross_entropy(logits[3:], pseudo, confidence >= threshold)
        assert loss.item() == pytest.approx(expected, abs=1e-6)
    taught = torch.cat([targets, pseudo.masked_fill(confidence < 0.8, 255)])
    follow(ours, both, taught, nearest)
    close(ours.vectors, [[[2.99, 3.98], [0.0, 2.01]], [[4.96, 0.001], [1.0, -1.0]]])


def test_the_rounds_of_a_step_move_prototypes_as_one_batch():
    """A second step begins with nothing collected."""
    whole, in_rounds = prototypes(), prototypes()
    nearest = whole(PIXELS).nearest
    for _ in range(2):
        follow(whole, PIXELS, LABELS, nearest)
        for part in (slice(0, 2), slice(2, 3), slice(3, 6)):
            in_rounds.collect(PIXELS[part], LABELS[part], nearest[part])
        in_rounds.move(momentum=0.99)
        torch.testing.assert_close(in_rounds.vectors, whole.vectors)
    assert not torch.allclose(whole.vectors, ROWS)
    assert in_rounds.state_dict().keys() == {"vectors", "known"}
    assert not in_rounds.sums.any() and not in_rounds.counts.any()


def test_loss_reaches_features_and_never_prototypes():
    features = PIXELS.clone().requires_grad_()
    ours = prototypes()
    loss = cross_entropy(ours(features).logits, LABELS)
    assert loss.item() == pytest.approx(0.051906, abs=1e-6)
    loss.backward()
    expected = [
        [0.0, 0.028778],
        [0.000030, 0.0],
        [0.047354, -0.047354],
        [0.0, 0.0],
        [0.035478, -0.047304],
        [0.000005, 0.000005],
    ]
    close(features.grad, expected)
    assert not any(p.requires_grad for p in ours.buffers()) and not list(ours.parameters())


def test_prototypes_keep_their_length():
    for length, expected in ((1.0, [0.99, 0.2]), (20.0, [19.8, 0.2])):
        ours = prototypes(torch.tensor([[[length, 0.0]]]))
        pixel = torch.tensor([[0.0, 20.0]])
        follow(ours, pixel, torch.tensor([0]), ours(pixel).nearest)
        close(ours.vectors[0, 0], expected)


def test_a_class_without_prototypes_is_never_chosen_until_it_is_seen():
    torch.manual_seed(0)
    ours = prototypes()
    ours.known[1] = False
    logits = ours(PIXELS).logits
    assert (logits[:, 1] == -torch.inf).all()
    follow(ours, PIXELS, LABELS, ours(PIXELS).nearest)
    assert ours.known.all()
    mean = PIXELS[LABELS == 1].mean(dim=0)
    torch.testing.assert_close(ours.vectors[1], mean.expand(2, 2), atol=0.01, rtol=0)
    assert torch.isfinite(ours(PIXELS).logits).all()


def test_fit_finds_clusters_by_direction_and_keeps_raw_means():
    torch.manual_seed(0)
    features = torch.tensor([[2.0, 0.1], [4, 0.1], [0.1, 1], [0.1, 3], [5, 5], [6, 6]])
    labels = torch.tensor([0, 0, 0, 0, 1, 255])
    ours = Prototypes(3, 2, 2, temperature=0.1)
    ours.fit(features, labels)
    found = sorted(ours.vectors[0].tolist())
    torch.testing.assert_close(torch.tensor(found), torch.tensor([[0.1, 2.0], [3.0, 0.1]]))
    torch.testing.assert_close(ours.vectors[1], torch.full((2, 2), 5.0), atol=0.05, rtol=0)
    assert ours.known.tolist() == [True, True, False]


def test_lloyd_ends_at_the_means():
    points = torch.tensor([[1, 0], [1.2, 0.1], [0, 1], [0.1, 1.3], [0.9, -0.1]])
    close(lloyd(points, points[[0, 2]]), [[1.033333, 0.0], [0.05, 1.15]])


def test_kmeans_fills_every_cluster_even_when_points_coincide():
    torch.manual_seed(0)
    assert sorted(set(kmeans(torch.ones(5, 2), 3).tolist())) == [0, 1, 2]


@pytest.mark.parametrize(("size", "patch"), [(513, 16), (769, 24), (80, 2)])
def test_one_point_in_every_cell(size, patch):
    rows, columns = stratified_points((size, size), 32)
    assert (rows // patch).tolist() == [i for i in range(32) for _ in range(32)]
    assert (columns // patch).tolist() == list(range(32)) * 32


def test_a_crop_smaller_than_the_grid_is_refused():
    with pytest.raises(UserError, match=r"method.cells=32 .* 30 x 30 pixels. Set method.cells=30"):
        stratified_points((30, 30), 32)


def test_reading_at_points_equals_resizing_and_reading():
    feature = torch.tensor([[0, 0.1, 0.4], [0.9, 1.6, 2.5], [3.6, 4.9, 6.4]])[None, None]
    points = torch.tensor([1, 4, 2]), torch.tensor([3, 0, 1])
    close(features_at(feature, points, (5, 5))[0, :, 0], [1.15, 3.6, 1.25])
    features = torch.randn(2, 7, 5, 9)
    points = stratified_points((33, 33), 8)
    whole = F.interpolate(features, (33, 33), mode="bilinear", align_corners=True)
    found = features_at(features, points, (33, 33))
    torch.testing.assert_close(found.transpose(1, 2), whole[:, :, points[0], points[1]])
