"""Frozen value types shared by every layer, and the legend of shape letters.

======  ==============================================================
letter  meaning
======  ==============================================================
P       candidate prompts in one query
B       examples (rows of a split) in one query
C       classes of the task
L       layers of the model that take a prompt
M       prompt tokens per layer
T       tokens of a sequence, prompt tokens included
D       hidden size of the model
E       members of a solution's ensemble
W       probe words of a wording
======  ==============================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_ABS_VALUE",
    "VERDICT_PRECEDENCE",
    "Array",
    "FloatArray",
    "IntArray",
    "Phase",
    "QueryRequest",
    "RunSummary",
    "Status",
    "Usage",
    "Verdict",
    "WordingRequest",
    "phase_at",
    "split_version",
    "with_version",
    "worst_verdict",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

MAX_ABS_VALUE = 1e4
"""Largest magnitude of a prompt's value; larger ones overflow the model's arithmetic."""


class Verdict(StrEnum):
    """How a run ended. Never parsed from a participant's text."""

    OK = "OK"
    RUNTIME_ERROR = "RTE"
    TIME_LIMIT = "TLE"
    MEMORY_LIMIT = "MLE"
    OUTPUT_LIMIT = "OLE"
    PROTOCOL_VIOLATION = "PV"
    SANDBOX_VIOLATION = "SV"
    INVALID_SUBMISSION = "IS"
    INTERNAL_ERROR = "IE"
    ABORTED = "AB"


VERDICT_PRECEDENCE = (
    Verdict.INTERNAL_ERROR,
    Verdict.SANDBOX_VIOLATION,
    Verdict.PROTOCOL_VIOLATION,
    Verdict.INVALID_SUBMISSION,
    Verdict.MEMORY_LIMIT,
    Verdict.TIME_LIMIT,
    Verdict.OUTPUT_LIMIT,
    Verdict.RUNTIME_ERROR,
    Verdict.ABORTED,
    Verdict.OK,
)
"""Highest precedence first."""


def worst_verdict(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict with the highest precedence; a submission has the worst verdict of its runs.

    Raises:
        ValueError: `verdicts` is empty.
    """
    return min(verdicts, key=VERDICT_PRECEDENCE.index)


class Phase(StrEnum):
    """State of a round, in order."""

    DRAFT = "draft"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"
    PUBLISHED = "published"

    def has_reached(self, other: "Phase") -> bool:
        """Return True if `other` is this phase or an earlier one."""
        order = list(Phase)
        return order.index(self) >= order.index(other)


def phase_at(phase: Phase, opens: datetime | None, closes: datetime | None, now: datetime) -> Phase:
    """Return the phase shown at `now`: an open round is a draft before `opens` and closed from `closes` on.

    Args:
        phase: the stored phase, set by the organizer.
        opens: aware; None: open at once.
        closes: aware; None: never closes by itself.
        now: aware.
    """
    if phase in {Phase.OPEN, Phase.FROZEN}:
        if opens is not None and now < opens:
            return Phase.DRAFT
        if closes is not None and now >= closes:
            return Phase.CLOSED
    return phase


class Status(StrEnum):
    """State of a submission or a run, separate from its verdict."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    SCORING = "scoring"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


def split_version(name: str) -> tuple[str, str | None]:
    """Return name and version of "NAME@VERSION"; the version is None where it is not given."""
    bare, _, version = name.partition("@")
    return bare, version or None


def with_version(name: str, version: str) -> str:
    """Return "NAME@VERSION", which means this version even after a newer one is added."""
    return f"{name}@{version}"


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One query; placed prompts and wordings are numbers (handles).

    Attributes:
        values: float32 (P, L, M, D) whole deep prompts, or (P, M, D) for one `layer`.
        layer: 0 <= layer < L, or None for whole prompts.
        base: handle of a placed prompt that fills the other layers; None means zeros.
        split: "train" or "dev".
        rows: unique row numbers of the split, or None for all of them.
        wording: handle of a wording; 0 is the task's official one.
        outputs: names in `harness.api.outputs.OUTPUTS`.
    """

    values: FloatArray
    layer: int | None = None
    base: int | None = None
    split: str = "train"
    rows: tuple[int, ...] | None = None
    wording: int = 0
    outputs: tuple[str, ...] = ("logits",)


@dataclass(frozen=True, slots=True)
class WordingRequest:
    """A template and label words to use instead of the official ones.

    Attributes:
        template: text with `{p}`, the task's fields once each, and exactly one `[M]`.
        words: per class, one or several words; a class's logit is the mean over its words.
        placeholder: text for the M prompt positions, or None for the official ids.
        mode: "add" (prompts are added over the placeholder) or "cat" (prepended at the input).
        probe_words: further words whose logits a query may ask for.
    """

    template: str
    words: tuple[tuple[str, ...], ...]
    placeholder: str | None = None
    mode: str = "add"
    probe_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources that an attempt has used. Only `calls` counts against the budget; the rest is shown as cost.

    Attributes:
        calls: budget units charged.
        queries: queries served.
        examples: candidate-example pairs evaluated.
        tokens: real tokens (no padding) over candidate-example pairs.
        engine_s: seconds of forward computation.
        solver_s: seconds from a response sent to the next request.
        invalid_queries: refused as malformed; not charged, unless the prompts overflow the model.
        refused_queries: refused because they exceed the budget; not charged.
        test_examples: member-example pairs of the test phase; not charged.
    """

    calls: int = 0
    queries: int = 0
    examples: int = 0
    tokens: int = 0
    engine_s: float = 0.0
    solver_s: float = 0.0
    invalid_queries: int = 0
    refused_queries: int = 0
    test_examples: int = 0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the databases keep of a run's artifact.

    Attributes:
        verdict: never IE; an internal error voids the attempt instead.
        score_public: raw 0-100 on the public test rows; None means not scored.
        score_private: raw 0-100 on the private test rows; None if not scored or if there are none.
        usage: what the attempt was charged and used.
        started_at: aware.
        ended_at: aware.
        is_checkpoint: scored on its last checkpoint, because a limit ended the attempt.
        is_official: False if the solver was not isolated.
        message: for the participant; empty if all went well. It may quote the solver's own text.
        artifact_path: of the attempt's JSON document, relative to the artifact folder.
        artifact_sha256: of that document, hexadecimal.
        hashes: SHA-256 (hex) of submission, round, data, model, tokenizer, code, packages, profile.
        train_losses: (calls charged, train loss) in the order of the calls.
        incumbents: (calls charged, public score, private score or None) of each incumbent.
        solve_s: seconds from the attempt's start to the end of `solve`; its scoring is not in them.
    """

    verdict: Verdict
    score_public: float | None
    score_private: float | None
    usage: Usage
    started_at: datetime
    ended_at: datetime
    is_checkpoint: bool = False
    is_official: bool = True
    message: str = ""
    artifact_path: str = ""
    artifact_sha256: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    train_losses: tuple[tuple[int, float], ...] = ()
    incumbents: tuple[tuple[int, float, float | None], ...] = ()
    solve_s: float = 0.0
