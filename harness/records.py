"""Frozen value types shared by every layer, and the one legend of shape letters.

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

from dataclasses import dataclass
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
    "QueryRequest",
    "Status",
    "Usage",
    "Verdict",
    "WordingRequest",
    "worst_verdict",
]

Array = NDArray[Any]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

MAX_ABS_VALUE = 1e4
"""Largest magnitude of a prompt's value: beyond it the model's arithmetic overflows."""


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
"""When several hold, the first of these is the verdict."""


def worst_verdict(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict that takes precedence; a parent takes its worst child's.

    Raises:
        ValueError: `verdicts` is empty.
    """
    return min(verdicts, key=VERDICT_PRECEDENCE.index)


class Status(StrEnum):
    """Where a submission or a run is in its life; the verdict is separate."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    SCORING = "scoring"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One query as the meter and the engine see it: handles are plain numbers.

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
    """A template and label words that a solver wants to use instead of the official ones.

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
    """What an attempt has used. Only `calls` is charged; the rest feeds the cost columns.

    Attributes:
        calls: budget units charged.
        queries: queries served.
        examples: candidate-example pairs evaluated.
        tokens: real tokens (no padding) over candidate-example pairs.
        engine_s: seconds of forward computation.
        solver_s: seconds from a response sent to the next request.
        invalid_queries: refused as malformed, charged nothing; or charged, where prompts overflow the model.
        refused_queries: refused for the budget, charged nothing.
        test_examples: member-example pairs of the test phase, recorded and not charged.
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
