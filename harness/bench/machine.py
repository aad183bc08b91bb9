"""What the machine itself can do: matmul rate, peak memory."""

import time
from pathlib import Path

import torch
from torch.nn import functional

from harness.engine.layers.linear import must_widen

__all__ = ["matmul_tflops", "peak_bytes", "reset_peak", "synchronize"]

_SHAPES = ((2048, 1024, 4096), (2048, 4096, 1024))
"""Rows, inputs and outputs of the products that are timed: sizes of a large model's layers."""
_REPEATS = 3


def matmul_tflops(dtype: torch.dtype, device: str) -> float:
    """Measure the rate of large matrix products, in 10^12 operations a second: the best of some shapes.

    In fp32 where the engine computes products of `dtype` so: it is the faster way there.
    """
    if must_widen(torch.empty(0, dtype=dtype, device=device)):
        dtype = torch.float32
    best = 0.0
    for rows, inputs, outputs in _SHAPES:
        states = torch.randn(rows, inputs, dtype=dtype, device=device)
        weight = torch.randn(outputs, inputs, dtype=dtype, device=device)
        functional.linear(states, weight)
        for _ in range(_REPEATS):
            synchronize(device)
            started = time.perf_counter()
            functional.linear(states, weight)
            synchronize(device)
            best = max(best, 2e-12 * rows * inputs * outputs / (time.perf_counter() - started))
    return best


def synchronize(device: str) -> None:
    """Wait until the device has done what was asked."""
    if device == "cuda":
        torch.cuda.synchronize()


def reset_peak(device: str) -> None:
    """Start a new peak: of the process's memory, or of the GPU's."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes(device: str) -> int:
    """Return the peak since `reset_peak`."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
