"""What a machine can compute on, and how precisely."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

from fewmask import version
from fewmask.engine.settings import MachineConfig
from fewmask.errors import UserError


def choose_accelerator(machine: MachineConfig) -> str:
    """The kind of device to use: `cpu`, `cuda` or `mps`.

    Raises:
        UserError: if the machine has no such device, or fewer of them than asked for.
    """
    found = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    wanted = machine.accelerator
    if wanted == "auto":
        # Apple's GPUs are used only if the user asks for them: fewmask was not measured on one.
        wanted = "cuda" if found["cuda"] else "cpu"
    if not found[wanted]:
        have = ", ".join(name for name, is_there in found.items() if is_there)
        raise UserError(
            f"machine.accelerator={wanted}: this machine has none. It has: {have}. Set "
            "machine.accelerator=auto to use the best of them."
        )
    count = {"cuda": torch.cuda.device_count(), "mps": 1}.get(wanted, os.cpu_count() or 1)
    if machine.devices > count:
        raise UserError(
            f"machine.devices={machine.devices}: this machine has {count} ({wanted}). Set "
            f"machine.devices to {count} or less."
        )
    return wanted


def choose_precision(precision: str, accelerator: str) -> str:
    """What `training.precision` means on a device: fp32, bf16 or fp16.

    `auto` becomes bf16 where the hardware is fast at it, else fp16 on CUDA, else fp32. For a run on
    a CPU, `runs.precision` asks more: whether this network is faster in bf16.

    Raises:
        UserError: for fp16 on a CPU.
    """
    if precision == "auto":
        if accelerator == "cuda":
            # Older GPUs emulate bf16, which is slower than fp16.
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        # A CPU without these instructions computes bf16 more slowly than fp32.
        fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        return "bf16" if accelerator == "cpu" and fast else "fp32"
    if precision == "fp16" and accelerator == "cpu":
        raise UserError("training.precision=fp16 needs a GPU. On a CPU use auto, bf16 or fp32.")
    return precision


def processor() -> str:
    """The name of the CPU."""
    # platform.processor() is empty on most Linux systems.
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def environment() -> dict[str, str]:
    """Versions and devices, for bug reports and for repeating a run."""
    has_cuda = torch.cuda.is_available()
    return {
        "fewmask": version.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "timm": metadata.version("timm"),
        "cuda device": torch.cuda.get_device_name() if has_cuda else "none",
        "cpu threads": str(torch.get_num_threads()),
        "precision auto": choose_precision("auto", "cuda" if has_cuda else "cpu"),
    }
