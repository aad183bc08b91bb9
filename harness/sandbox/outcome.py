"""What goes into a sandbox run and what comes out of it."""

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
    """A submission's files and how to start it.

    Attributes:
        path: the unpacked folder. Its regular files are copied into the sandbox.
        entry: "module:Class".
        params: what `__init__` gets, JSON values.
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
        message: one short text for the participant; "" when all is well.
        log: stdout and stderr together, from the start, at most `log_bytes`.
        log_truncated: more was written than is kept.
        out_of_budget: the solver ended by an uncaught BudgetExhausted, and the harness had
            really refused a query.
        has_predict: the entry class defines `predict`; False too if loading it failed.
        wall_s: seconds from start to end.
        solver_s: seconds that the solver's clock ran.
        cpu_s: CPU seconds of the process.
        peak_rss_bytes: largest resident set that was seen.
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
    """Why predictions are missing. A code alone: a text could carry test data out."""

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
        """What the participant should know: a sentence of ours, the same whatever happened there."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    PredictReason.NONE: "it ended well",
    PredictReason.NO_PREDICT: "the entry class has no predict in a new process; define it in the class itself",
    PredictReason.RAISED: (
        "it raised; it must be a static method predict(response, state), and sees the outputs that "
        "Solution.outputs names. To see more, call it in solve on a response of dev"
    ),
    PredictReason.BAD_RETURN: "it returned something else than one whole number per row, shape (B,)",
    PredictReason.TIME: "it took longer than the round's predict_s",
    PredictReason.MEMORY: "it took more than the round's memory_bytes",
    PredictReason.PROTOCOL: "it wrote to the harness's channel",
    PredictReason.DIED: "its process died",
    PredictReason.VIOLATION: "it made a forbidden system call",
    PredictReason.FILES: "the files cannot be accepted",
}


@dataclass(frozen=True, slots=True)
class PredictOutcome:
    """How one `predict` process ended.

    Attributes:
        verdict: OK with predictions, or why there are none.
        predictions: per batch int64 (B,), range not checked; None unless the verdict is OK.
        reason: the reason code.
        has_predict: the entry class defines `predict`.
    """

    verdict: Verdict
    predictions: list[IntArray] | None
    reason: PredictReason = PredictReason.NONE
    has_predict: bool = False
