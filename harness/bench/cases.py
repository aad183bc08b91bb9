"""The cases of the bench: models and timed queries.

Reference and engine alternate in one process on the same examples. A case whose outputs differ by
more than its tolerance is refused. The reference is one padded fp32 forward call of the whole model
per candidate, with the LM head over all tokens and the whole vocabulary (`engine.reference_logits`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

import numpy as np

from harness.bench.agreement import AGREEMENT_ABOUT, agreement
from harness.bench.arena_cases import ARENA_CASES
from harness.bench.line import BenchLine, BenchRefused
from harness.bench.machine import matmul_tflops, peak_bytes, reset_peak, synchronize
from harness.bench.workload import Workload, large_workload, round_workload
from harness.engine import reference_logits
from harness.engine.profile import DTYPES
from harness.errors import UsageError
from harness.records import FloatArray

__all__ = ["CASES", "Case", "case_names", "run_case"]

_N_CANDIDATES = 20
_TOLERANCE = {"fp32": 1e-4, "bf16": 5e-2}
"""Largest allowed difference of a logit. bf16 has 8 significant bits; the logits of the random model
have a standard deviation of about 0.6."""
_CHUNK_TOKENS = {"fp32": 1700, "bf16": 3800}
"""Keeps the largest buffer of a layer below 32 MiB, so that glibc's allocator reuses it."""
_SCHEDULE = (1, 6, 9, 14, 17, 22)
"""Sample of the layers of a BBTv2 round: one of each four, with the mean of all 24."""


@dataclass(frozen=True)
class Case:
    """A case of the bench.

    Attributes:
        about: description.
        workload: creates the model and the examples.
        layers: searched layers in order; None is a query of whole prompts.
        rounds: repetitions of the whole sequence.
    """

    about: str
    workload: Callable[[], Workload]
    layers: tuple[int | None, ...]
    rounds: int = 1


@dataclass
class _Timings:
    """Measurements of a case; seconds are per call."""

    reference: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    flops: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    by_layer: dict[str, float] = field(default_factory=dict)
    difference: float = 0.0
    memory: int = 0


def _large(dtype: str) -> Callable[[], Workload]:
    return lambda: large_workload(dtype, "cpu", threads=2, chunk_tokens=_CHUNK_TOKENS[dtype])


def _round(name: str) -> Callable[[], Workload]:
    return lambda: round_workload(name)


CASES: dict[str, Case] = {
    f"roberta-large-{what}-{dtype}": Case(f"RoBERTa-large shape, {about}, {dtype}", _large(dtype), layers)
    for dtype in ("fp32", "bf16")
    for what, about, layers in (
        ("schedule", "a round of BBTv2: one layer after the other", _SCHEDULE),
        ("whole", "whole deep prompts", (None,)),
        ("layer-0", "a search in layer 0", (0,)),
    )
} | {
    f"{name}-{what}": Case(f"{about}, {name} model, first task", _round(name), layers, rounds=5)
    for name, last in (("toy", 3), ("minilm", 5))
    for what, about, layers in (
        ("schedule", "a round of BBTv2", tuple(range(last + 1))),
        ("whole", "whole deep prompts", (None,)),
    )
}
"""Case by name."""


_OTHER_CASES = {**ARENA_CASES, "minilm-agreement-bf16": (AGREEMENT_ABOUT, agreement)}


def case_names() -> dict[str, str]:
    """Return the description of each case by name."""
    own = {name: case.about for name, case in CASES.items()}
    return own | {name: about for name, (about, _) in _OTHER_CASES.items()}


def run_case(name: str) -> BenchLine:
    """Measure one case.

    Raises:
        UsageError: there is no such case.
        BenchRefused: the outputs do not match the reference, or the model is missing.
    """
    if name in _OTHER_CASES:
        return _OTHER_CASES[name][1]()
    if name not in CASES:
        raise UsageError(f"no bench case {name!r}; there are {', '.join(case_names())}")
    case = CASES[name]
    work = case.workload()
    profile = work.profile
    timings = _Timings()
    for round_number in range(-1, case.rounds):  # the first round warms up
        layers: Sequence[int | None] = case.layers[:1] if round_number < 0 else case.layers
        for layer in layers:
            _measure(work, layer, timings if round_number >= 0 else _Timings(), name)
    slow, fast = mean(timings.reference), mean(timings.engine)
    rate = sum(timings.flops) / sum(timings.engine) / 1e12
    peak = median(timings.peaks)
    return BenchLine(
        case=name,
        device=profile.device,
        dtype=profile.dtype,
        reference_s_per_call=slow,
        engine_s_per_call=fast,
        ratio=slow / fast,
        useful_tflops=rate,
        peak_share=rate / peak,
        max_abs_diff=timings.difference,
        peak_bytes=timings.memory,
        details={
            "about": case.about,
            "engine_s_per_call_by_layer": timings.by_layer,
            "candidates": _N_CANDIDATES,
            "matmul_tflops": peak,
            "threads": profile.threads,
            "chunk_tokens": profile.chunk_tokens,
            "cache_hit_rate": work.engine.cache.hit_rate,
        },
    )


def _measure(work: Workload, layer: int | None, timings: _Timings, name: str) -> None:
    """Time one engine query and one reference candidate, and compare them."""
    device, dtype = work.profile.device, work.profile.dtype
    values = work.prompts(_N_CANDIDATES, layer)
    base = None if layer is None else work.prompts(1, None)[0]
    if layer:
        # As in a search: the cache holds the states of the layer before, so one layer is left to compute.
        work.engine.evaluate(work.encoded, values[:1], layer=layer - 1, base=base, cache_key=("bench", "train"))
    timings.peaks.append(matmul_tflops(DTYPES[dtype], device))
    started = time.perf_counter()
    expected = reference_logits(work.plain, work.encoded, values[:1], layer=layer, base=base)
    synchronize(device)
    timings.reference.append(time.perf_counter() - started)
    reset_peak(device)
    started = time.perf_counter()
    response = work.engine.evaluate(work.encoded, values, layer=layer, base=base, cache_key=("bench", "train"))
    synchronize(device)
    timings.engine.append((time.perf_counter() - started) / _N_CANDIDATES)
    timings.by_layer["whole" if layer is None else str(layer)] = timings.engine[-1]
    timings.memory = max(timings.memory, peak_bytes(device))
    timings.flops.append(work.useful_flops(layer or 0))
    timings.difference = max(timings.difference, _difference(response.logits, expected))
    if timings.difference > _TOLERANCE[dtype]:
        raise BenchRefused(
            f"{name}, layer {layer}: got a logit that differs from the reference by {timings.difference:.2e}, "
            f"expected at most {_TOLERANCE[dtype]:g}; the case is not reported"
        )


def _difference(logits: FloatArray | None, expected: FloatArray) -> float:
    """Return the largest difference over the reference's candidates; infinity if a value is not finite."""
    difference = np.inf if logits is None else np.abs(logits[: len(expected)] - expected).max()
    return float(difference) if np.isfinite(difference) else float("inf")
