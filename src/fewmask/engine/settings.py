"""The settings of training and of the machine, and all the settings that a trainer reads."""

from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from fewmask.config import BaseConfig
from fewmask.data import LoaderConfig
from fewmask.engine.sinks.choosing import LoggingConfig
from fewmask.evaluation import EvaluationConfig


class TrainingConfig(BaseConfig):
    """Steps, optimizer, schedule, precision. The defaults are iMAS's on Pascal VOC."""

    steps: int = Field(default=20_000, ge=1, le=10**9)
    """Gradient steps."""
    epochs: int | None = Field(default=None, ge=1, le=10**9)
    """Passes over the unlabeled images, or over the labeled ones if the method uses no others.
    If you set it, it decides `steps`."""
    minutes: float | None = Field(default=None, gt=0, le=10**6)
    """Minutes that the run is to take on this machine. If you set it, it decides `steps`, and how
    often the networks are evaluated, by a few steps that are timed first."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW."""
    lr: float = Field(default=0.001, gt=0, le=1000)
    """Highest learning rate of the encoder, which is reached after the warm-up."""
    head_lr_factor: float = Field(default=10.0, ge=0, le=10**6)
    """The learning rate of decoder and heads is this many times the encoder's."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """The learning rate of each layer of a timm encoder is this many times that of the next layer;
    below 1, biases, norms and position embeddings of the encoder have no weight decay. 0.65 to 0.9
    are usual for vision transformers."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD."""
    weight_decay: float = Field(default=1e-4, ge=0, le=1000)
    """Weight decay of all parameters."""
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    """How the learning rate falls to 0: (1 - step/steps)^0.9, half a cosine, or not at all."""
    warmup_steps: int = Field(default=0, ge=0, le=10**9)
    """Steps in which the learning rate rises linearly from 0."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest norm of the gradients of a network; longer ones are scaled down. null: no limit."""
    accumulate: int | None = Field(default=None, ge=1, le=4096)
    """Rounds of gradient accumulation: each process works through its share of the batch in this
    many rounds, which saves memory. null: as many as `reference_devices` asks for."""
    reference_devices: int = Field(default=1, ge=1, le=4096)
    """Number of devices that the batch was chosen for. With fewer devices, each one accumulates
    gradients over several rounds, so that the batch stays the same."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Floating-point precision. auto: on a GPU, bf16 where it is fast at it, else fp16; on a CPU,
    whichever of bf16 and fp32 is faster for this network, by a few steps that are timed before
    training."""
    compile: bool = False
    """Compiles the networks with torch.compile. The first steps take a minute or more, later ones
    are faster, and results differ in the last digits. Useful for long runs on a GPU; a CPU gains
    little."""
    evaluate_every: int | None = Field(default=None, ge=1, le=10**9)
    """Steps between evaluations. null: a tenth of all steps."""
    evaluate_every_epochs: int | None = Field(default=None, ge=1, le=10**9)
    """Passes between evaluations. If you set it, it decides `evaluate_every`."""
    checkpoint_every: int | None = Field(default=None, ge=1, le=10**9)
    """Steps between checkpoints. null: at each evaluation."""
    log_every: int = Field(default=20, ge=1, le=10**9)
    """Steps between lines of metrics.jsonl."""

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps={self.warmup_steps} must be below steps={self.steps}")
        return self

    def evaluation_interval(self) -> int:
        """Steps between evaluations."""
        return self.evaluate_every or max(1, self.steps // 10)

    def checkpoint_interval(self) -> int:
        """Steps between checkpoints."""
        return self.checkpoint_every or self.evaluation_interval()


class MachineConfig(BaseConfig):
    """Where a run happens. These options never change its batches."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Kind of device. auto: an NVIDIA or AMD GPU if there is one, else the CPU. Apple GPUs (mps)
    are used only if you ask for them, because fewmask was not measured on one."""
    devices: int = Field(default=1, ge=1, le=4096)
    """Number of devices. Each one has its own process, which takes its share of the batch."""
    workers: int = Field(default=2, ge=0, le=256)
    """Processes that load data, for each device. 0: data are loaded between the steps."""


class Settings(Protocol):
    """What a trainer reads of a run's settings; a `Recipe` has all of it."""

    @property
    def seed(self) -> int:
        """Random seed for batches and steps."""

    @property
    def loader(self) -> LoaderConfig:
        """Crop, scale and batch sizes."""

    @property
    def training(self) -> TrainingConfig:
        """Steps, optimizer, schedule, precision."""

    @property
    def evaluation(self) -> EvaluationConfig:
        """How networks are scored."""

    @property
    def logging(self) -> LoggingConfig:
        """Where results are logged."""

    @property
    def machine(self) -> MachineConfig:
        """Where the run happens."""
