"""The input and the outcome of a sandbox run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.api.types import Solution
from harness.records import IntArray, Verdict

__all__ = ["PredictOutcome", "PredictReason", "SolveOutcome", "SubmissionSource"]


@dataclass(frozen=True, slots=True)
class SubmissionSource:
    """A submission's files and entry class.

    Attributes:
        path: the unpacked folder. Its regular files are copied into the sandbox.
        entry: "module:Class".
        params: keyword arguments of `__init__`, JSON values.
    """

    path: Path
    entry: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SolveOutcome:
    """How one `solve` ended.

    Attributes:
        verdict: OK with a solution, or why there is none.
        solution: checked against the model's info and the policy; None unless the verdict is OK.
        message: one short text for the participant; "" if there is nothing to report.
        log: the first `log_bytes` of stdout and stderr together.
        log_truncated: the output was longer than the log.
        out_of_budget: the solver ended by an uncaught BudgetExhausted, and the harness had
            refused a query.
        has_predict: the entry class defines `predict`; False also if loading it failed.
        wall_s: seconds from start to end.
        solver_s: seconds on the solver's clock.
        cpu_s: CPU seconds of the process.
        peak_rss_bytes: largest resident set sampled.
        invalid_queries: requests refused as malformed.
        versions: interpreter and packages, as reported from inside.
    """

    verdict: Verdict
    solution: Solution | None
    message: str
    log: bytes = b""
    log_truncated: bool = False
    out_of_budget: bool = False
    has_predict: bool = False
    wall_s: float = 0.0
    solver_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    invalid_queries: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)


class PredictReason(StrEnum):
    """Why there are no predictions. Only a code: a free text could leak test data."""

    NONE = ""
    NO_PREDICT = "no_predict"
    RAISED = "raised"
    BAD_RETURN = "bad_return"
    TIME = "time"
    MEMORY = "memory"
    PROTOCOL = "protocol"
    DIED = "died"
    VIOLATION = "violation"
    FILES = "files"

    @property
    def explanation(self) -> str:
        """A fixed sentence for the participant, independent of the process's output."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    PredictReason.NONE: "it succeeded",
    PredictReason.NO_PREDICT: "the entry class has no predict in a new process; define it in the class itself",
    PredictReason.RAISED: (
        "it raised an exception; it must be a static method predict(response, state), and gets the outputs "
        "named in Solution.outputs. To debug it, call it in solve on a response of dev"
    ),
    PredictReason.BAD_RETURN: "its return value is not one integer per row, shape (B,)",
    PredictReason.TIME: "it exceeded the round's predict_s",
    PredictReason.MEMORY: "it exceeded the round's memory_bytes",
    PredictReason.PROTOCOL: "it wrote to the harness's channel",
    PredictReason.DIED: "its process ended early",
    PredictReason.VIOLATION: "it made a forbidden system call",
    PredictReason.FILES: "the files cannot be accepted",
}


@dataclass(frozen=True, slots=True)
class PredictOutcome:
    """How one `predict` process ended.

    Attributes:
        verdict: OK with predictions, or why there are none.
        predictions: per batch int64 (B,), range not checked; None unless the verdict is OK.
        reason: the reason code; NONE if the verdict is OK.
        has_predict: the entry class defines `predict`.
    """

    verdict: Verdict
    predictions: list[IntArray] | None
    reason: PredictReason = PredictReason.NONE
    has_predict: bool = False
