"""What a case reports, and when it refuses to."""

from dataclasses import asdict, dataclass, field
from typing import Any

from harness.engine.profile import runtime_versions
from harness.errors import InfrastructureError

__all__ = ["BenchLine", "BenchRefused"]


class BenchRefused(InfrastructureError):
    """A case is not reported: the outputs do not match the reference, or what it needs is absent."""


@dataclass(frozen=True)
class BenchLine:
    """One case's figures; seconds are per call: one candidate on the case's examples.

    Attributes:
        case: its name.
        device: device kind.
        dtype: the engine's; the reference always computes in fp32.
        reference_s_per_call: of the plain path.
        engine_s_per_call: of the engine.
        ratio: reference over engine.
        useful_tflops: floating-point operations that the answer needs, per engine second, in 10^12.
        peak_share: `useful_tflops` over the matmul rate measured between the queries, in `dtype`.
        max_abs_diff: largest difference of a class logit between the two.
        peak_bytes: peak memory while the engine computes, model included.
        details: further figures of this case.
        versions: what it was measured with.
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
