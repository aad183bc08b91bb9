"""How an attempt ended, as it enters the sealed store."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from harness.errors import InfrastructureError
from harness.records import IntArray, Usage, Verdict

__all__ = ["RunResult"]

_NEVER_SCORED = frozenset(
    {
        Verdict.RUNTIME_ERROR,
        Verdict.PROTOCOL_VIOLATION,
        Verdict.SANDBOX_VIOLATION,
        Verdict.INVALID_SUBMISSION,
        Verdict.ABORTED,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """How an attempt ended, as it enters the store.

    Attributes:
        verdict: never IE; an internal error voids the attempt instead.
        score_public: raw 0-100 on the public test rows; None means not scored.
        score_private: raw 0-100 on the private test rows; None if not scored or if there are none.
        usage: what the attempt was charged and used.
        budget_calls: calls that it was allowed.
        is_flagged: scored on a checkpoint, because a limit ended the attempt.
        message: for the participant; empty if all went well. Everybody may read it from the phase on that
            shows logs, since an exception's text is the solver's own.
        artifact_path: of the attempt's JSON document, relative to the artifact folder.
        artifact_sha256: of that document, hexadecimal.
        hashes: submission, round, data, model, tokenizer, code, packages, profile.
        train_loss_curve: (calls charged, train loss) in the order of the calls.
        test_curve: (calls charged, public score, private score or None) of each incumbent.
        predictions: int64 (B,) class numbers in canonical order, or None.
        wall_s: seconds from the attempt's start to the end of `solve`; its scoring is not in them.
        is_official: False if the solver was not isolated; such a run is marked wherever it shows.
        started_at: aware.
        ended_at: aware.
    """

    verdict: Verdict
    score_public: float | None
    score_private: float | None
    usage: Usage
    budget_calls: int
    started_at: datetime
    ended_at: datetime
    is_flagged: bool = False
    message: str = ""
    artifact_path: str = ""
    artifact_sha256: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    train_loss_curve: tuple[tuple[int, float], ...] = ()
    test_curve: tuple[tuple[int, float, float | None], ...] = ()
    predictions: IntArray | None = None
    wall_s: float = 0.0
    is_official: bool = True

    def __post_init__(self) -> None:
        """Refuse a result that contradicts itself.

        Raises:
            InfrastructureError: naming the field, its value and what was expected.
        """
        if self.verdict is Verdict.INTERNAL_ERROR:
            raise InfrastructureError("a run cannot finish with verdict IE; call void_attempt instead")
        for name, score in (("score_public", self.score_public), ("score_private", self.score_private)):
            if score is not None and not (math.isfinite(score) and 0.0 <= score <= 100.0):
                raise InfrastructureError(f"{name} is {score!r}; expected a number from 0 to 100")
        if self.score_private is not None and self.score_public is None:
            raise InfrastructureError("score_private without score_public; expected both or neither")
        is_scored = self.score_public is not None
        if self.verdict is Verdict.OK and not is_scored:
            raise InfrastructureError("verdict OK without score_public; a run that ended well has a score")
        if self.verdict in _NEVER_SCORED and is_scored:
            raise InfrastructureError(f"verdict {self.verdict} with a score; such runs are never scored")
        if self.is_flagged and not is_scored:
            raise InfrastructureError("is_flagged without a score; it says that a checkpoint was scored")
