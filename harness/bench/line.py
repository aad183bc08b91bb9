"""The report of a case."""

from dataclasses import asdict, dataclass, field
from typing import Any

from harness.engine.profile import runtime_versions
from harness.errors import InfrastructureError

__all__ = ["BenchLine", "BenchRefused"]


class BenchRefused(InfrastructureError):
    """A case cannot be reported: the outputs do not match the reference, or its model is missing."""


@dataclass(frozen=True)
class BenchLine:
    """Figures of one case. Seconds are per call: one candidate on the case's examples.

    Attributes:
        case: its name.
        device: device kind.
        dtype: the engine's type; the reference computes in fp32.
        reference_s_per_call: seconds of the plain path.
        engine_s_per_call: seconds of the engine.
        ratio: reference over engine.
        useful_tflops: required floating-point operations per engine second, in 10^12.
        peak_share: `useful_tflops` over the matmul rate in `dtype`, measured between the queries.
        max_abs_diff: largest difference of a class logit between the two.
        peak_bytes: peak memory while the engine computes, including the model.
        details: further figures of the case.
        versions: installed versions.
    """

    case: str
    device: str
    dtype: str
    reference_s_per_call: float
    engine_s_per_call: float
    ratio: float
    useful_tflops: float | None
    peak_share: float | None
    max_abs_diff: float
    peak_bytes: int
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: dict(runtime_versions()))

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
