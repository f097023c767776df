"""What one training step of each method costs, relative to a plain mean teacher."""

import time
from statistics import median

import torch

from fewmask.batch import Batch, Labeled, Progress, Scalars, Unlabeled, Views
from fewmask.config import find
from fewmask.methods import METHODS, Method, Minimize
from fewmask.models import ModelConfig, create_model
from fewmask.models.decoders import DecoderConfig
from fewmask.parts.losses import cross_entropy
from fewmask.parts.pseudo_labels import pseudo_label
from fewmask.parts.teacher import Teacher

PROGRESS = Progress(step=0, total_steps=1000, steps_per_epoch=1)


class MeanTeacher(Method):
    """The yardstick: pseudo-labels of an EMA teacher, one forward of the student."""

    views = Views(strong=("any",))

    def __init__(self, student: torch.nn.Module, config: Method.Config):
        super().__init__(student, config)
        self.teacher = Teacher(student)

    def step(self, batch: Batch, minimize: Minimize, progress: Progress) -> Scalars:
        """One step on labeled and unlabeled images."""
        x_l, y_l = batch.labeled
        weak, (strong, *_), valid, *_ = batch.unlabeled
        pseudo = pseudo_label(self.teacher(weak).logits, valid)
        logits_l, logits_u = self.student(torch.cat([x_l, strong])).logits.chunk(2)
        confident = pseudo.confidence >= 0.8
        loss = cross_entropy(logits_l, y_l) + cross_entropy(logits_u, pseudo.label, confident)
        minimize(loss, over=self.student)
        self.teacher.update(self.student, decay=0.99)
        return {"loss": loss.detach()}


def main(
    encoder: str = "resnet50",
    crop: int = 161,
    batch: int = 2,
    num_classes: int = 21,
    rounds: int = 5,
) -> None:
    """Time steps of all methods in turn: medians, and ratios within each round."""
    model = ModelConfig(encoder=encoder, decoder=DecoderConfig())
    given = random_batch(batch, crop, num_classes)
    steps = {name: _Step(name, model, num_classes, given) for name in ("mean teacher", *METHODS)}
    for step in steps.values():
        step()  # warms caches up
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(step())
    print(f"{encoder}, crop {crop}, {batch} + {batch} images, {num_classes} classes, fp32")
    for name, times in seconds.items():
        ratio = median(t / r for t, r in zip(times, seconds["mean teacher"], strict=True))
        print(f"{name:>14}: {median(times):7.3f} s per step, {ratio:5.2f} x mean teacher")


class _Step:
    """One method, ready to be timed."""

    def __init__(self, name: str, model: ModelConfig, num_classes: int, batch: Batch):
        torch.manual_seed(0)
        student = create_model(model, num_classes)
        plugin = MeanTeacher if name == "mean teacher" else find(name, METHODS, "method")
        options = {
            k: 0 for k in ("warmup_epochs", "copy_epochs") if k in plugin.Config.model_fields
        }
        self.method = plugin(student, plugin.Config(name=name, **options))
        self.method.to(memory_format=torch.channels_last)
        self.optimizers = {
            network: torch.optim.SGD(getattr(self.method, network).parameters(), lr=1e-4)
            for network in self.method.trains
        }
        self.batch, self.progress = batch, PROGRESS

    def __call__(self) -> float:
        """Seconds of one step."""
        self.method.prepare([self.batch.labeled], self.progress)
        start = time.perf_counter()
        self.method.step(self.batch, self._minimize, self.progress)
        self.progress = self.progress._replace(step=self.progress.step + 1)
        return time.perf_counter() - start

    def _minimize(self, loss: torch.Tensor, over: torch.nn.Module) -> bool:
        name = next(n for n in self.method.trains if getattr(self.method, n) is over)
        loss.backward(inputs=[p for p in over.parameters() if p.requires_grad])
        self.optimizers[name].step()
        self.optimizers[name].zero_grad()
        return True


def random_batch(batch: int, crop: int, num_classes: int) -> Batch:
    """Noise in the shapes of a batch."""
    torch.manual_seed(0)
    images = torch.randn(3, batch, 3, crop, crop)
    images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    mask = torch.randint(0, num_classes, (batch, crop, crop))
    valid = torch.ones(batch, crop, crop, dtype=torch.bool)
    unlabeled = Unlabeled(images[1], (images[2],), valid, torch.arange(batch))
    return Batch(Labeled(images[0], mask), unlabeled)
