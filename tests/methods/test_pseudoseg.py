"""PseudoSeg: golden numbers follow from the formulas of the released code, in float64."""

import pytest
import torch
import torch.nn.functional as F

from fewmask.batch import Progress
from fewmask.methods.pseudoseg import PseudoSeg, fuse
from fewmask.models.encoders.freezing import freeze_all
from fewmask.parts.boxes import boxes_at
from fewmask.parts.cam import class_activation_maps, classes_in
from fewmask.parts.losses import cross_entropy, soft_cross_entropy
from fewmask.parts.mixing import at_grid, random_cut
from fewmask.parts.pseudo_labels import sharpen
from fewmask.parts.resizing import resize

PROGRESS = Progress(step=0, total_steps=100, steps_per_epoch=10)
DECODER = [[2.0, 0, -1], [0.5, 1.5, 0]]
ATTENTION = [[1.0, 0.5, 0], [0, -1, 2]]


def as_maps(*images) -> torch.Tensor:
    """Class scores per pixel as [B, K, 1, N]."""
    return torch.tensor(images).transpose(1, 2)[:, :, None]


def pixels(maps: torch.Tensor, image: int = 0) -> torch.Tensor:
    return maps[image, :, 0].T


def close(found, expected, atol=1e-5) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=atol, rtol=0)


@pytest.mark.parametrize(
    ("share", "temperature", "expected"),
    [
        (0.5, 1.0, [[0.659074, 0.218700, 0.122226], [0.183373, 0.329990, 0.486637]]),
        (0.5, 0.5, [[0.873742, 0.096209, 0.030050], [0.088644, 0.287065, 0.624292]]),
        (1.0, 0.5, [[0.973227, 0.023192, 0.003580], [0.127052, 0.823030, 0.049919]]),
        (0.0, 0.5, [[0.646299, 0.253931, 0.099770], [0.023192, 0.003580, 0.973227]]),
    ],
)
def test_calibrated_fusion(share, temperature, expected):
    fused = fuse(as_maps(DECODER), as_maps(ATTENTION), share)
    close(pixels(sharpen(fused, temperature)), expected)


def test_the_scale_couples_the_images_of_a_batch():
    decoder = as_maps(DECODER, [[8.0, -4, 0], [6, -2, -2]])
    attention = as_maps(ATTENTION, [[0.0, 1, -1], [-0.5, 0.5, 0.5]])
    fused = fuse(decoder, attention, 0.5)
    close(pixels(fused, 1), [[0.636648, 0.241570, 0.121781], [0.590122, 0.204939, 0.204939]])
    target = sharpen(fused, 0.5)
    close(pixels(target), [[0.646792, 0.226661, 0.126548], [0.223678, 0.282083, 0.494239]])
    torch.testing.assert_close(fuse(5 * decoder, 5 * attention, 0.5), fused)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.5, [0.657895, 0.236842, 0.105263]),
        (0.25, [0.865651, 0.112188, 0.022161]),
        (0.1, [0.993886, 0.006010, 0.000104]),
        (1.0, [0.5, 0.3, 0.2]),
    ],
)
def test_sharpening(temperature, expected):
    close(sharpen(torch.tensor([[0.5, 0.3, 0.2]]), temperature)[0], expected)


def test_soft_consistency():
    target = sharpen(fuse(as_maps(DECODER), as_maps(ATTENTION), 0.5), 0.5)
    logits = as_maps([[1.0, 1, 0], [0, 0.5, 1]]).requires_grad_()
    both = torch.ones(1, 1, 2, dtype=torch.bool)
    first = torch.tensor([[[True, False]]])
    loss = soft_cross_entropy(logits, target, both, both)
    assert loss.item() == pytest.approx(0.902245, abs=1e-6)
    assert soft_cross_entropy(logits, target, first, both).item() == pytest.approx(
        0.892044, abs=1e-6
    )
    confident = target.amax(dim=1) >= 0.8
    found = soft_cross_entropy(logits, target, both, confident)
    assert found.item() == pytest.approx(0.446022, abs=1e-6)
    assert soft_cross_entropy(logits, target, ~both, both) == 0
    loss.backward()
    expected = [[-0.225711, 0.163055, 0.062656], [0.048840, 0.010066, -0.058906]]
    close(pixels(logits.grad), expected, atol=1e-6)


def test_end_to_end_fusion_on_a_grid():
    m33 = torch.tensor(
        [
            [-0.397619, 1.024161, -0.742447],
            [-0.214480, 0.881400, -0.617086],
            [-0.504333, -1.368888, 1.626193],
            [1.916433, -0.536673, -0.666659],
        ]
    )
    attention = resize(m33.T.view(1, 3, 2, 2), (3, 3))
    close(attention[0, :, 1].T[1], [0.2, 0.0, -0.1])
    scores = [[2, 0, -1], [1, 1, 0], [0, 2, 0], [3, -1, 0], [1, 0, 1]]
    scores += [[0, 1, 1], [2, 1, -2], [0, 0, 2], [-1, 0, 3]]
    decoder = torch.tensor(scores, dtype=torch.float32).T.view(1, 3, 3, 3)
    target = sharpen(fuse(decoder, attention, 0.5), 0.5)
    close(target[0, :, 1, 1], [0.464242, 0.172242, 0.363517])
    assert target.argmax(dim=1).flatten().tolist() == [0, 1, 1, 0, 0, 0, 2, 2, 2]
    valid = torch.ones(1, 3, 3, dtype=torch.bool)
    everywhere = valid.clone()
    loss = soft_cross_entropy(decoder / 2, target, valid, everywhere)
    assert loss.item() == pytest.approx(0.990379, abs=1e-5)
    valid[0, 0, 0] = valid[0, 2, 2] = False
    loss = soft_cross_entropy(decoder / 2, target, valid, everywhere)
    assert loss.item() == pytest.approx(0.980753, abs=1e-5)
    loss = soft_cross_entropy(decoder / 2, target, valid, target.amax(dim=1) >= 0.7)
    assert loss.item() == pytest.approx(0.445925, abs=1e-5)


def test_labeled_losses():
    logits = torch.tensor([[2.0, 0, -1], [0.5, 1.5, 0], [1, 1, 1], [0, 0, 3]])
    loss = cross_entropy(logits, torch.tensor([0, 1, 255, 0]))
    assert loss.item() == pytest.approx(1.243046, abs=1e-6)
    z, t = torch.tensor([[2.0, -1, 0], [0.5, -3, 1]]), torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    assert F.binary_cross_entropy_with_logits(z, t).item() == pytest.approx(0.411544, abs=1e-6)


def test_classes_in_a_mask():
    found = classes_in(torch.tensor([[[0, 0, 3], [3, 255, 7]]]), 21)[0]
    assert found.nonzero().flatten().tolist() == [0, 3, 7]


def test_valid_pixels_are_read_where_the_logits_lie():
    rows = torch.zeros(1, 513, 513, dtype=torch.bool)
    rows[:, ::4] = True
    assert at_grid(rows, (129, 129)).all()
    rows[:] = False
    rows[:, ::16, ::16] = True
    assert at_grid(rows, (33, 33)).all()


@pytest.mark.parametrize(
    ("center", "area"), [((10, 500), 3780), ((256, 256), 10000), ((0, 0), 2500), ((512, 512), 2601)]
)
def test_cutout_is_clipped_at_the_border(center, area):
    box = boxes_at(torch.tensor([center[0]]), torch.tensor([center[1]]), (100, 100), 513, 513)
    assert box.sum() == area


def test_cutout_of_the_paper_has_a_side_of_100_pixels():
    torch.manual_seed(0)
    boxes = random_cut(64, 513, 513, PseudoSeg.Config(name="pseudoseg").cutout_side)
    assert boxes.flatten(1).sum(dim=1).max() == 10000


def method(student, **options) -> PseudoSeg:
    return PseudoSeg(lambda: student, PseudoSeg.Config(name="pseudoseg", **options))


class Split:
    """A fake minimize that asks which networks of the method, or parts of them, a loss reaches."""

    def __init__(self, method: PseudoSeg):
        self.method = method
        self.reached: set[str] = set()

    def __call__(self, loss, over) -> bool:
        names, parameters = zip(*self.method.named_parameters(), strict=True)
        wanted = [p for p in parameters if p.requires_grad]
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
        touched = {id(p) for p, g in zip(wanted, found, strict=True) if g is not None and g.any()}
        for name, p in zip(names, parameters, strict=True):
            if id(p) in touched:
                self.reached.add(name.removeprefix("student.").split(".")[0])
        return True


SEGMENTER = {"encoder", "decoder", "head"}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("loss_s", SEGMENTER),
        ("loss_u", SEGMENTER),
        ("loss_cls", {"encoder", "classifier"}),
        ("loss_sgc", {"attention"}),
    ],
)
def test_each_loss_trains_its_own_parts(student, batch, monkeypatch, term, expected):
    """The complete list of stop-gradients, seen from the parameters."""
    module = "fewmask.methods.pseudoseg."
    zero = torch.zeros(())
    if term != "loss_u":
        monkeypatch.setattr(module + "soft_cross_entropy", lambda *a: zero)
    if term != "loss_sgc":
        monkeypatch.setattr(module + "cross_entropy", lambda *a: zero)
    if term != "loss_cls":
        monkeypatch.setattr(module + "F.binary_cross_entropy_with_logits", lambda *a: zero)
    pseudoseg = method(student)
    split = Split(pseudoseg)
    if term != "loss_s":
        monkeypatch.setattr(type(pseudoseg.config.supervised_loss), "__call__", lambda *a: zero)
    pseudoseg.step(batch, split, PROGRESS)
    assert split.reached == expected


def test_padding_never_becomes_a_pseudo_label(student, batch, minimize):
    pseudoseg = method(student)
    nowhere = torch.zeros_like(batch.unlabeled.valid)
    unlabeled = batch.unlabeled._replace(valid=nowhere)
    scalars = pseudoseg.step(batch._replace(unlabeled=unlabeled), minimize, PROGRESS).by_name()
    assert scalars["loss_unlabeled"] == 0 and scalars["used_pixels"] == 0


def test_step_reports_what_the_paper_names(student, batch, minimize):
    pseudoseg = method(student)
    scalars = pseudoseg.step(batch, minimize, PROGRESS).by_name()
    assert {"loss_labeled", "loss_unlabeled", "loss_sgc", "loss_class"} < scalars.keys()
    assert 0 <= scalars["fusion_entropy"] <= torch.log(torch.tensor(3.0))
    assert minimize.calls[0][1] is pseudoseg.student
    assert list(pseudoseg.predictors()) == ["student"]
    assert pseudoseg.predictors()["student"](batch.labeled.image).upsampled_logits.shape == (
        2,
        3,
        33,
        33,
    )
    assert all(layer.training for layer in pseudoseg.student.modules())


def test_image_labels_gate_the_maps_and_teach_the_classifier(student, batch, minimize, monkeypatch):
    pseudoseg = method(student)
    scores, gates = [], []
    pseudoseg.classifier.register_forward_hook(lambda module, x, logits: scores.append(logits))

    def spy(features, weight, present):
        gates.append(present)
        return class_activation_maps(features, weight, present)

    monkeypatch.setattr("fewmask.methods.pseudoseg.class_activation_maps", spy)
    present = torch.tensor([[True, True, False], [True, False, True]])
    unlabeled = batch.unlabeled._replace(present=present)
    scalars = pseudoseg.step(batch._replace(unlabeled=unlabeled), minimize, PROGRESS).by_name()
    of_labeled, of_unlabeled = gates
    assert of_labeled.shape == (2, 2) and of_unlabeled.tolist() == [[1, 0], [0, 1]]
    taught = F.binary_cross_entropy_with_logits(scores[1], of_unlabeled)  # scores[0]: labeled
    torch.testing.assert_close(scalars["loss_class"], taught)


def test_classes_without_background(student, batch, minimize):
    pseudoseg = method(student, has_background=False)
    assert pseudoseg.classifier.out_features == 3
    scalars = pseudoseg.step(batch, minimize, PROGRESS).by_name()
    assert torch.isfinite(torch.stack([v.float().mean() for v in scalars.values()])).all()


def test_a_checkpoint_of_before_is_read(student):
    """Before 0.2 the student wrapped segmenter, classifier and attention."""
    pseudoseg = method(student)
    saved = {key: x + 1 for key, x in pseudoseg.state_dict().items()}

    def old(key: str) -> str:
        owner, _, rest = key.partition(".")
        return f"student.segmenter.{rest}" if owner == "student" else f"student.{key}"

    pseudoseg.load_state_dict({old(key): x for key, x in saved.items()})
    assert all(torch.equal(saved[key], x) for key, x in pseudoseg.state_dict().items())
    pseudoseg.load_state_dict(saved)  # and one of today


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_no_class_above_the_threshold_gates_no_map(
    student, batch, minimize, monkeypatch, threshold
):
    """Which classes an unlabeled image shows is what the classifier says, above a threshold."""
    seen = []

    def spy(features, weight, present):
        seen.append(present)
        return class_activation_maps(features, weight, present)

    monkeypatch.setattr("fewmask.methods.pseudoseg.class_activation_maps", spy)
    method(student, class_threshold=threshold).step(batch, minimize, PROGRESS)
    assert (seen[1] == (threshold == 0)).all()


def test_the_sizes_of_attention_and_cutout_can_be_chosen(student, batch, minimize):
    pseudoseg = method(student, attention_dimension=5, cutout_side=1.0)
    assert pseudoseg.attention.query.out_channels == 5
    report = pseudoseg.step(batch, minimize, PROGRESS)
    assert report.used_pixels < 0.9  # a box as large as the crop leaves its border, at least


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_opinion_alone(student, batch, minimize, share):
    pseudoseg = method(student, decoder_share=share)
    label = pseudoseg.pseudo_labels(batch.unlabeled.weak, batch.unlabeled.valid).label
    assert label.shape == batch.unlabeled.valid.shape


@pytest.mark.parametrize("is_frozen", [False, True])
def test_dropout_in_front_of_the_classifier_is_for_training_only(
    student, batch, minimize, is_frozen
):
    """The classes of an unlabeled image are predicted without it, as in the released code."""
    if is_frozen:
        freeze_all(student.encoder)
    pseudoseg, seen = method(student, classifier_dropout=0.9), []
    pseudoseg.classifier.register_forward_hook(lambda module, x, logits: seen.append(x[0]))
    pseudoseg.step(batch, minimize, PROGRESS)
    labeled, unlabeled = ((x == 0).float().mean() for x in seen)
    assert labeled > 0.5 and unlabeled < 0.5


def test_labeled_crops_are_not_attended_to_where_they_are_padding(student, batch):
    """What the padding shows does not matter; without the map of valid pixels it would."""
    pseudoseg = method(student)
    torch.manual_seed(0)
    *_, inner, last = student.decoder.stages.channels
    stages = [torch.rand(2, inner, 5, 5), torch.rand(2, last, 5, 5)]
    stages[1][:, :, 3:] = 0  # no activation in the padding, so that the maps' peaks are elsewhere
    other = [stages[0].clone(), stages[1]]
    other[0][:, :, 3:] = 9 * torch.rand(2, inner, 2, 5)
    valid = torch.ones(2, 33, 33, dtype=torch.bool)
    valid[:, 20:] = False  # the grid's rows 3 and 4 lie at the pixels 24 and 32
    spread = []
    pseudoseg.attention.mix.register_forward_hook(lambda module, x, y: spread.append(x[0]))
    for stages_of, valid_of in ((stages, valid), (other, valid), (stages, None), (other, None)):
        pseudoseg._attend(stages_of, torch.ones(2, 2), valid_of)
    shown = [x[:, :, :3] for x in spread]
    assert torch.equal(shown[0], shown[1])
    assert not torch.allclose(shown[2], shown[3]) and not torch.allclose(shown[0], shown[2])


def test_the_padding_of_labeled_crops_reaches_the_attention(student, batch, minimize, monkeypatch):
    pseudoseg, seen = method(student), []
    monkeypatch.setattr(
        pseudoseg.attention,
        "forward",
        lambda maps, features, valid=None: (
            seen.append(valid),
            type(pseudoseg.attention).forward(pseudoseg.attention, maps, features, valid),
        )[1],
    )
    valid = torch.ones(2, 33, 33, dtype=torch.bool)
    valid[0, :, 20:] = False
    pseudoseg.step(batch._replace(labeled_valid=valid), minimize, PROGRESS)
    assert torch.equal(seen[0], at_grid(valid, seen[0].shape[-2:])) and not seen[0].all()
