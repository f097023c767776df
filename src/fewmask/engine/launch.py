"""Starts Lightning Fabric on every device. Methods, models and parts never know about it."""

import logging
import os
import pickle
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from fewmask.engine.devices import choose_accelerator, choose_precision
from fewmask.engine.settings import MachineConfig
from fewmask.engine.stopping import signals_reach_children
from fewmask.errors import Stopped, UserError
from fewmask.parts import processes

END_AFTER = 5.0
"""Seconds that the other processes have to end by themselves after one has failed."""
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def launch(machine: MachineConfig, precision: str, function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function(fabric, *args)` on every device and returns the first one's result.

    One device runs in this process. For more devices, this function starts the processes itself.
    Under torchrun or SLURM it uses the processes that these have started, on one machine or
    several; torchrun's number of processes then replaces `machine.devices`.

    Args:
        machine: which devices, and how many.
        precision: auto, fp32, bf16 or fp16.
        function: of a module, so that other processes can import it.
        args: what the function gets besides Fabric; sent to other processes by pickle.

    Raises:
        UserError: if the machine has no such devices, or cannot compute in that precision.
        Stopped: if a signal has ended the processes that this function started.
    """
    fabric, starts_children = _create_fabric(machine, precision)
    if not starts_children:
        fabric.launch()
        return function(fabric, *args)
    with signals_reach_children() as signals, TemporaryDirectory() as folder:
        answers = Path(folder)
        child = partial(_in_child, function=function, args=args, answers=answers)
        try:
            # The arguments are bound to the function, or Fabric would look for modules in them.
            fabric.launch(child)
        except (ProcessRaisedException, ProcessExitedException):
            # If one process has left its error, the others ended because of it.
            if not (signals or any(answers.glob("error*"))):
                raise
        # Processes often fail for the same reason, and one message is enough.
        for error in sorted(answers.glob("error*")):
            raise pickle.loads(error.read_bytes())
        if signals:
            raise Stopped(signals[0])
        return pickle.loads((answers / "result").read_bytes())


def is_first() -> bool:
    """Whether this process makes the run folder; of several, only the first one does."""
    number = "RANK" if "TORCHELASTIC_RUN_ID" in os.environ else "SLURM_PROCID"
    return os.environ.get(number, "0") == "0"


def is_started_by_others() -> bool:
    """Whether torchrun or SLURM has started this process, perhaps as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_NTASKS" in os.environ


# Its lines on precision repeat ours, and it advises arithmetic that is less precise.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


def _create_fabric(machine: MachineConfig, precision: str) -> tuple[Fabric, bool]:
    """Fabric for these devices, and whether launching it starts processes."""
    accelerator = choose_accelerator(machine)
    under_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    strategy = "auto"
    if machine.devices > 1 or under_torchrun:
        strategy = "ddp" if is_started_by_others() else "ddp_spawn"
    here, machines = machine.devices, 1
    if under_torchrun:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        machines = int(os.environ["WORLD_SIZE"]) // here
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=machines,
        strategy=strategy,
        precision=PRECISIONS[choose_precision(precision, accelerator)],
    )
    return fabric, strategy == "ddp_spawn"


def _in_child(
    fabric: Fabric, function: Callable[..., Any], args: tuple[Any, ...], answers: Path
) -> None:
    """What each started process does: it calls the function and leaves the result as a file.

    Fabric would return the result through a pipe that it reads after the process has ended, so a
    result larger than the pipe (64 KiB; the confusion matrix of 90 classes) would block forever.
    A user's mistake or a full disk in any process travels the same way.
    """
    threading.Thread(target=_end_with_others, args=(answers,), daemon=True).start()
    if fabric.device.type == "cpu":
        # Processes with all cores each would slow one another down.
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // fabric.world_size))
    try:
        result = function(fabric, *args)
        if fabric.global_rank == 0:
            (answers / "result").write_bytes(pickle.dumps(result))
    except (UserError, OSError) as error:
        (answers / f"error{fabric.global_rank}").write_bytes(pickle.dumps(error))
    processes.leave()


def _end_with_others(answers: Path) -> None:
    """Ends this process soon after another one has failed; on GPUs it would wait for it forever."""
    while not any(answers.glob("error*")):
        time.sleep(1)
    time.sleep(END_AFTER)
    os._exit(1)
