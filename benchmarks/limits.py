"""The best rates of this machine: memory, matrix products, passes over numbers in the cache."""

import time
from collections.abc import Callable, Iterator
from functools import cache

import torch
import torch.nn.functional as F

from benchmarks.record import Figure, figures
from fewmask.engine.stopwatch import wait_for

SECONDS = 1.0
"""How long each rate is measured. The best call counts."""
STRIP = 2**18
"""This many numbers fit into the cache of a core."""
CPU = torch.device("cpu")


def measure() -> Iterator[list[Figure]]:
    """Measure the machine's best rates, the limits for all other benchmarks."""
    for device in [CPU] + [torch.device("cuda")] * torch.cuda.is_available():
        copied = (bandwidth(device) / 1e9, "GB/s")
        yield figures(f"copying (bytes read and written), {device}", rate=copied)
        for dtype in (torch.float32, torch.bfloat16):
            rate = (matrix_rate(dtype, device) / 1e9, "GFLOP/s")
            yield figures(f"matrix products in {str(dtype)[6:]}, {device}", rate=rate)
    yield figures("additions in the cache, cpu", rate=(pass_rate() / 1e9, "G/s"))
    yield figures("exponentials in the cache, cpu", rate=(exp_rate() / 1e9, "G/s"))


@cache
def bandwidth(device: torch.device = CPU) -> float:
    """Bytes per second of a large copy, counting both reads and writes."""
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best(lambda: target.copy_(source), device)


@cache
def matrix_rate(dtype: torch.dtype, device: torch.device = CPU) -> float:
    """FLOP per second of a matrix product or a convolution, whichever is faster."""
    side, images = (2048, 4) if device == CPU else (8192, 32)
    a = torch.randn(side, side, dtype=dtype, device=device)
    product = 2 * side**3 / _best(lambda: a @ a, device)
    image = torch.randn(images, 256, 80, 80, dtype=dtype, device=device)
    image = image.to(memory_format=torch.channels_last)
    kernel = torch.randn(256, 256, 3, 3, dtype=dtype, device=device)
    kernel = kernel.to(memory_format=torch.channels_last)
    flop = 2 * images * 256 * 256 * 9 * 80 * 80
    with torch.no_grad():
        return max(product, flop / _best(lambda: F.conv2d(image, kernel, padding=1), device))


@cache
def pass_rate() -> float:
    """Additions per second on numbers in the cache."""
    x = torch.randn(STRIP)
    return STRIP / _best(lambda: x.add_(1e-9))


@cache
def exp_rate() -> float:
    """Exponentials per second on numbers in the cache."""
    x, y = torch.randn(STRIP), torch.empty(STRIP)
    return STRIP / _best(lambda: torch.exp(x, out=y))


def _best(call: Callable[[], object], device: torch.device = CPU) -> float:
    """The time of the fastest call, in seconds."""
    for _ in range(3):
        call()
    wait_for(device)
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        call()
        wait_for(device)
        best = min(best, time.perf_counter() - start)
    return best
