"""The limits of one solver process, and the ways to isolate it."""

from dataclasses import dataclass, fields
from enum import StrEnum

from harness.errors import UsageError

__all__ = ["SandboxMode", "SandboxPolicy"]


class SandboxMode(StrEnum):
    """How a solver process is isolated.

    USER and ROOT are official. UNSAFE runs a plain subprocess: no isolation whatever, only the
    resource limits; for one's own code, by explicit choice, and the result is unofficial.
    """

    USER = "user"
    ROOT = "root"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """The limits of one attempt. All numbers are positive.

    Attributes:
        solver_s: wall seconds in total between a response sent and the next request received,
            loading the submission included.
        cpu_s: CPU seconds of the process, all threads together.
        predict_s: wall seconds of one `predict` process, after start-up.
        memory_bytes: private writable memory of the process.
        scratch_bytes: size of the in-memory scratch folder, and of the largest file in it.
        log_bytes: how much of stdout and stderr is kept; the rest is dropped.
        state_bytes: all arrays of `Solution.state` together.
        startup_s: wall seconds until the isolated process reports, before participant code.
        inbound_bytes: everything that the process may send in one attempt.
        max_invalid_queries: the query that makes this many invalid ones ends the attempt.
        max_free_requests: the request that makes this many that were not charged (refused for the
            budget, prompts placed, wordings, checkpoints) ends the attempt: each costs the harness
            time that no clock of the solver counts.
        blas_threads: OMP/MKL/OpenBLAS threads.
        max_ensemble: largest E of a solution; the smaller of this and `ModelInfo.max_ensemble`.
    """

    solver_s: float = 600.0
    cpu_s: float = 1200.0
    predict_s: float = 60.0
    memory_bytes: int = 3 << 30
    scratch_bytes: int = 64 << 20
    log_bytes: int = 1 << 20
    state_bytes: int = 64 << 20
    startup_s: float = 60.0
    inbound_bytes: int = 64 << 30
    max_invalid_queries: int = 1000
    max_free_requests: int = 100_000
    blas_threads: int = 1
    max_ensemble: int = 1

    def __post_init__(self) -> None:
        """Refuse limits that are not positive: a zero would mean "none" to the kernel.

        Raises:
            UsageError: naming the field and its value.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                msg = f"sandbox policy: {field.name} is {value!r}, expected a positive number"
                raise UsageError(msg)
