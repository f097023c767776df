"""What this machine can do at best: the limits that other figures are held against."""

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

SECONDS = 1.0
"""Each rate is the best seen in so long."""
STRIP = 2**18
"""Numbers that fit into a core's cache."""


def main() -> None:
    """Measure memory bandwidth, matrix rates and what one pass over numbers in the cache costs."""
    print(f"copying {bandwidth() / 1e9:.0f} GB/s (read and written)")
    for dtype in (torch.float32, torch.bfloat16):
        print(f"multiplying, {str(dtype)[6:]}: {matrix_rate(dtype) / 1e9:.0f} GFLOP/s")
    print(f"in the cache: {pass_rate() / 1e9:.1f} G additions/s, {exp_rate() / 1e9:.2f} G exp/s")


@cache
def bandwidth() -> float:
    """Bytes per second of a large copy, read and written ones both counted."""
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best(lambda: target.copy_(source))


@cache
def matrix_rate(dtype: torch.dtype) -> float:
    """FLOP per second of a matrix product or a convolution, whichever is faster."""
    a = torch.randn(2048, 2048, dtype=dtype)
    product = 2 * 2048**3 / _best(lambda: a @ a)
    image = torch.randn(4, 256, 80, 80, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.randn(256, 256, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    flop = 2 * 4 * 256 * 256 * 9 * 80 * 80
    with torch.no_grad():
        return max(product, flop / _best(lambda: F.conv2d(image, kernel, padding=1)))


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


def _best(call: Callable[[], object]) -> float:
    """Seconds of the fastest call."""
    for _ in range(3):
        call()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        call()
        best = min(best, time.perf_counter() - start)
    return best
