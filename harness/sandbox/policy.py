"""The limits of one solver process, and the modes of isolation."""

from dataclasses import dataclass, fields
from enum import StrEnum

from harness.errors import UsageError

__all__ = ["SandboxMode", "SandboxPolicy"]


class SandboxMode(StrEnum):
    """How a solver process is isolated.

    USER and ROOT are official. UNSAFE runs a plain subprocess with resource limits and no isolation:
    only for your own code, by explicit choice, and the result is unofficial.
    """

    USER = "user"
    ROOT = "root"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """The limits of one attempt. All numbers are positive.

    Attributes:
        solver_s: total wall seconds between a response sent and the next request received,
            including loading the submission.
        cpu_s: CPU seconds of the process, all threads together.
        predict_s: wall seconds of one `predict` process, after start-up.
        memory_bytes: private writable memory of the process.
        scratch_bytes: size of the in-memory scratch folder, and of the largest file in it.
        log_bytes: how much of stdout and stderr is kept; the rest is dropped.
        state_bytes: total size of the arrays of `Solution.state`.
        startup_s: wall seconds until the isolated process reports, before participant code.
        inbound_bytes: total size of what the process sends in one attempt.
        max_invalid_queries: the attempt ends at this many invalid queries.
        max_free_requests: the attempt ends after this many requests that are not charged (refused
            for the budget, prompts placed, wordings, checkpoints): they cost the harness time that
            is not on the solver's clock.
        blas_threads: OMP/MKL/OpenBLAS threads.
        max_ensemble: largest E of a solution, unless `ModelInfo.max_ensemble` is smaller.
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
        """Reject limits that are not positive: to the kernel, zero may mean "no limit".

        Raises:
            UsageError: a limit is not positive; the message names it.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                msg = f"sandbox policy: {field.name}: got {value!r}, expected a positive number"
                raise UsageError(msg)
