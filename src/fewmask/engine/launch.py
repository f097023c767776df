"""Starts Lightning Fabric: devices, processes, precision. Nothing below the engine knows of it."""

import importlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from fewmask.engine.settings import MachineConfig
from fewmask.engine.sync_batchnorm import SyncBatchNorm
from fewmask.errors import UserError
from fewmask.models.encoders.timm_import import import_timm
from fewmask.parts import processes

END_AFTER = 5.0
"""Seconds that processes have to end by themselves, when one of them has failed."""
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def launch(machine: MachineConfig, precision: str, function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function(fabric, *args)` on every device and returns what the first one returned.

    One device runs in this process. More are processes started here, no launcher needed; under
    torchrun (whose numbers count, not `machine.devices`) or SLURM the processes that are already
    there are used, on one machine or several.

    Raises:
        UserError: if the machine has no such devices, or cannot compute in that precision.
    """
    accelerator = choose_accelerator(machine)
    external = any(name in os.environ for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS"))
    strategy = "auto"
    if machine.devices > 1 or "TORCHELASTIC_RUN_ID" in os.environ:
        strategy = "ddp" if external else "ddp_spawn"
    here, machines = machine.devices, 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        machines = int(os.environ["WORLD_SIZE"]) // here
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=machines,
        strategy=strategy,
        precision=PRECISIONS[choose_precision(precision, accelerator)],
    )
    if strategy != "ddp_spawn":
        fabric.launch()
        return function(fabric, *args)
    with _signals_reach_children(), TemporaryDirectory() as folder:
        answers = Path(folder)
        child = partial(_in_child, function=function, args=args, answers=answers)
        try:
            fabric.launch(child)  # bound arguments: Fabric would look for modules inside them
        except (ProcessRaisedException, ProcessExitedException):
            if not any(answers.glob("error*")):  # else the others fell with the one that failed
                raise
        for error in sorted(answers.glob("error*")):
            raise pickle.loads(error.read_bytes())
        return pickle.loads((answers / "result").read_bytes())


def is_first() -> bool:
    """Whether this process is the one that makes run folders: not so in torchrun's others."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"


def _in_child(
    fabric: Fabric, function: Callable[..., Any], args: tuple[Any, ...], answers: Path
) -> None:
    """What each started process does.

    The first one's result travels as a file: Fabric's pipe is read after the process has ended,
    so what does not fit into the pipe (64 KiB: the confusion matrix of 90 classes) would block.
    A user's mistake, or a full disk, of any of them goes back likewise.
    """
    threading.Thread(target=_end_with_others, args=(answers,), daemon=True).start()
    if fabric.device.type == "cpu":  # divide the cores, or the processes fight for them
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // fabric.world_size))
    try:
        result = function(fabric, *args)
        if fabric.global_rank == 0:
            (answers / "result").write_bytes(pickle.dumps(result))
    except (UserError, OSError) as error:
        (answers / f"error{fabric.global_rank}").write_bytes(pickle.dumps(error))
    processes.leave()


def _end_with_others(answers: Path) -> None:
    """Ends this process some seconds after another one has failed: on GPUs it would wait for it."""
    while not any(answers.glob("error*")):
        time.sleep(1)
    time.sleep(END_AFTER)
    os._exit(1)


def choose_accelerator(machine: MachineConfig) -> str:
    """The kind of device to use, `cpu`, `cuda` or `mps`.

    Raises:
        UserError: if it is not there, or not as often as asked.
    """
    found = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    wanted = machine.accelerator
    if wanted == "auto":
        wanted = "cuda" if found["cuda"] else "cpu"
    if not found[wanted]:
        have = ", ".join(name for name, there in found.items() if there)
        raise UserError(
            f"machine.accelerator={wanted}: there is none here. This machine has: {have}."
        )
    count = {"cuda": torch.cuda.device_count(), "mps": 1}.get(wanted, os.cpu_count() or 1)
    if machine.devices > count:
        raise UserError(f"machine.devices={machine.devices}: this machine has {count} ({wanted}).")
    return wanted


def choose_precision(precision: str, accelerator: str) -> str:
    """What `auto` means here: bf16 where the hardware is fast at it, else fp16 on CUDA, else fp32.

    Raises:
        UserError: for fp16 on a CPU.
    """
    if precision == "auto":
        if accelerator == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        return "bf16" if accelerator == "cpu" and fast else "fp32"
    if precision == "fp16" and accelerator == "cpu":
        raise UserError("training.precision=fp16 needs a GPU. On a CPU use auto, bf16 or fp32.")
    return precision


def share_batchnorm(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Makes BatchNorm see the global batch when several processes share it.

    Source: the papers train with SyncBN everywhere.
    """
    if fabric.world_size == 1:
        return network
    if fabric.device.type == "cuda":
        import_timm()
        layers = importlib.import_module("timm.layers")  # its version also knows BatchNormAct2d
        synced: nn.Module = layers.convert_sync_batchnorm(network)
        return synced
    return SyncBatchNorm.convert(network)


class _signals_reach_children:
    """While child processes train, a stop signal to the parent must not end it before them.

    SIGTERM is passed on, so that the children can save; Ctrl-C reaches them by itself.
    """

    def __enter__(self) -> None:
        self.before = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._pass_on),
            signal.SIGINT: signal.signal(signal.SIGINT, lambda number, frame: None),
        }

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            child.terminate()
