"""Matmul rate and peak memory of the machine."""

import time
from pathlib import Path

import torch
from torch.nn import functional

from harness.engine.layers.linear import must_widen

__all__ = ["matmul_tflops", "peak_bytes", "reset_peak", "synchronize"]

_SHAPES = ((2048, 1024, 4096), (2048, 4096, 1024))
"""Rows, inputs and outputs of the timed products, as in the layers of a large model."""
_REPEATS = 3


def matmul_tflops(dtype: torch.dtype, device: str) -> float:
    """Return the best rate of large matrix products, in 10^12 operations per second.

    Measured in fp32 if the engine computes products of `dtype` in fp32.
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
    """Wait until the device has finished its work."""
    if device == "cuda":
        torch.cuda.synchronize()


def reset_peak(device: str) -> None:
    """Reset the peak of the process's or the GPU's memory."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes(device: str) -> int:
    """Return the peak memory since `reset_peak`."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
