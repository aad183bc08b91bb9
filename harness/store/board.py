"""What everybody may see of an arena, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.metrics.ranking import ScoringRule
from harness.records import Status, Verdict
from harness.store.values import Phase

__all__ = [
    "UNOFFICIAL",
    "UPLOAD_LABEL",
    "Board",
    "BoardRound",
    "BoardTask",
    "Curve",
    "Entry",
    "RunLine",
    "SubmissionPage",
    "Upload",
]

UNOFFICIAL = "unofficial: no sandbox"
"""How a result of a run without isolation is marked, wherever it shows."""

UPLOAD_LABEL = "predictions only, calls not metered"
"""How scores of uploaded predictions are marked, wherever they show."""


@dataclass(frozen=True, slots=True)
class BoardTask:
    """A task as everybody may see it."""

    name: str
    metric: str
    budget_calls: int
    kshot_seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BoardRound:
    """A round as everybody may see it; `is_final` says that scores are those on the private rows."""

    round_id: int
    name: str
    version: str
    title: str
    digest: str
    phase: Phase
    rule: ScoringRule
    is_final: bool
    opens: datetime | None
    closes: datetime | None
    tasks: tuple[BoardTask, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission in one line.

    Attributes:
        submission_id: row number.
        team: the team's name, as written by people: never markup.
        name: the solver's name, as written by people: never markup.
        description: as written by people: never markup.
        digest: SHA-256 of the submission's content.
        is_baseline: a reference method, never ranked.
        is_example: a packaged example.
        status: where it is in its life.
        verdict: of its worst run, once all have ended.
        is_flagged: a run was scored on a checkpoint.
        is_complete: every run has a score.
        counts: it is the one submission of its team that stands on the board.
        rank: place among competitors; None for a baseline or an unofficial one, or if it does not count.
        score: raw 0-100, mean over tasks; None if not complete.
        task_scores: raw 0-100 per task in the order of the round; None where a seed is missing.
        calls: charged calls over all runs.
        budget_calls: calls that all runs together may be charged.
        tokens: real tokens over all runs.
        engine_s: seconds of forward computation over all runs.
        wall_s: seconds over all runs.
        n_runs: tasks x few-shot seeds.
        n_runs_done: runs that have ended.
        n_runs_held: runs that wait for the organizer.
        submitted_at: aware UTC.
        finished_at: aware UTC.
        is_official: False if a run was made without isolation.
    """

    submission_id: int
    team: str
    name: str
    description: str
    digest: str
    is_baseline: bool
    is_example: bool
    status: Status
    verdict: Verdict | None
    is_flagged: bool
    is_complete: bool
    counts: bool
    rank: int | None
    score: float | None
    task_scores: Mapping[str, float | None]
    calls: int
    budget_calls: int
    tokens: int
    engine_s: float
    wall_s: float
    n_runs: int
    n_runs_done: int
    n_runs_held: int
    submitted_at: datetime
    finished_at: datetime | None
    is_official: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """Scores of uploaded predictions on the public test rows, rounded to 0.1; never ranked.

    Attributes:
        upload_id: row number.
        name: as written by people: never markup.
        digest: SHA-256 of the archive.
        score: 0-100, mean over tasks.
        task_scores: 0-100 per task in the order of the round.
        created_at: aware UTC.
    """

    upload_id: int
    name: str
    digest: str
    score: float
    task_scores: Mapping[str, float]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """A round and its entries in order: those that count, best first, then the incomplete ones.

    Attributes:
        round: the round.
        entries: at most two per owner: the one that counts, and a newer one that is not complete.
        n_submissions: all submissions of the round, also those that do not count.
        version: of the public store when this was read.
        uploads: predictions without a solver, best first.
    """

    round: BoardRound
    entries: tuple[Entry, ...]
    n_submissions: int
    version: int
    uploads: tuple[Upload, ...] = ()


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run of a submission, as everybody may see it."""

    run_id: int
    task: str
    kshot_seed: int
    solver_seed: int
    status: Status
    is_held: bool
    verdict: Verdict | None
    is_flagged: bool
    score: float | None
    calls: int
    budget_calls: int
    n_attempts: int
    message: str
    hashes: Mapping[str, str]
    artifact_sha256: str
    wall_s: float | None
    engine_s: float | None
    tokens: int | None
    ended_at: datetime | None
    is_official: bool = True


@dataclass(frozen=True, slots=True)
class Curve:
    """Best train loss so far per few-shot seed, each as long as `calls`; None before the first."""

    task: str
    calls: tuple[int, ...]
    losses: Mapping[int, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class SubmissionPage:
    """All that everybody may know of a submission; runs and curves in the order of the round."""

    round: BoardRound
    entry: Entry
    runs: tuple[RunLine, ...]
    curves: tuple[Curve, ...]
