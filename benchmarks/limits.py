"""What this machine can do at best: the limits that other figures are held against."""

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

from fewmask.engine.stopwatch import wait_for

SECONDS = 1.0
"""Each rate is the best seen in so long."""
STRIP = 2**18
"""Numbers that fit into a core's cache."""
CPU = torch.device("cpu")


def main() -> None:
    """Measure memory bandwidth, matrix rates and what one pass over numbers in the cache costs."""
    for device in [CPU] + [torch.device("cuda")] * torch.cuda.is_available():
        print(f"copying {bandwidth(device) / 1e9:.0f} GB/s (read and written, {device})")
        for dtype in (torch.float32, torch.bfloat16):
            rate = matrix_rate(dtype, device) / 1e9
            print(f"multiplying, {str(dtype)[6:]}: {rate:.0f} GFLOP/s ({device})")
    print(f"in the cache: {pass_rate() / 1e9:.1f} G additions/s, {exp_rate() / 1e9:.2f} G exp/s")


@cache
def bandwidth(device: torch.device = CPU) -> float:
    """Bytes per second of a large copy, read and written ones both counted."""
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
    """Numbers per second that something is added to, in the cache."""
    x = torch.randn(STRIP)
    return STRIP / _best(lambda: x.add_(1e-9))


@cache
def exp_rate() -> float:
    """Exponentials per second, in the cache."""
    x, y = torch.randn(STRIP), torch.empty(STRIP)
    return STRIP / _best(lambda: torch.exp(x, out=y))


def _best(call: Callable[[], object], device: torch.device = CPU) -> float:
    """Seconds of the fastest call."""
    for _ in range(3):
        call()
    wait_for(device)
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        call()
        wait_for(device)
        best = min(best, time.perf_counter() - start)
    return best
