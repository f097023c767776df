"""What can be set about training, and about the machine it runs on."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fewmask.config import BaseConfig


class TrainingConfig(BaseConfig):
    """Steps, optimizer, schedule, precision. The defaults are iMAS's on Pascal VOC."""

    steps: int = Field(default=20_000, ge=1)
    """Gradient steps."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the unlabeled images (over the labeled ones, if the method uses no others);
    when given, `steps` follows from it."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW."""
    lr: float = Field(default=0.001, gt=0)
    """Learning rate of the encoder at the start, after the warm-up."""
    head_lr_factor: float = 10.0
    """Decoder and heads learn this much faster than the encoder."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 1e-4
    """Weight decay of all parameters."""
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    """How the learning rate falls to 0: (1 - step/steps)^0.9, half a cosine, or not at all."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the learning rate rises linearly from 0."""
    clip_norm: float | None = None
    """Gradients longer than this are shortened to it; null leaves them."""
    accumulate: int | None = Field(default=None, ge=1)
    """Parts a process divides its share of the batch into, one after the other, to save memory;
    null takes as many as `reference_devices` asks for."""
    reference_devices: int = Field(default=1, ge=1)
    """Devices the batch was made for; fewer devices take their share in as many rounds as keep the
    batch the same."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto takes bf16 where the hardware is fast at it, else fp16 on a GPU, else fp32."""
    compile: bool = False
    """Compiles the networks with torch.compile; the first steps take a minute or more, the others
    less, the result differs in the last digits. For long runs on a GPU; a CPU gains little."""
    evaluate_every: int | None = Field(default=None, ge=1)
    """Steps between evaluations; null means a tenth of all steps."""
    checkpoint_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints; null means at each evaluation."""
    log_every: int = Field(default=20, ge=1)
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
    """Where a run happens. Nothing here changes its batches."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """The kind of device; auto takes an NVIDIA or AMD GPU if there is one. Apple's (mps) is taken
    only when asked for: fewmask has not been measured on one."""
    devices: int = Field(default=1, ge=1)
    """How many of them, each with a process of its own that takes its share of the global batch."""
    workers: int = Field(default=2, ge=0)
    """Processes that load data, per device; 0 loads between the steps."""
