"""What everybody may see of an arena, as frozen values: the documents of the public store, and the board's JSON.

Entries, pages, rounds and uploads are stored as the JSON of these classes; readers get them back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.metrics.noise import NoiseFloor
from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Status, Verdict, with_version

__all__ = [
    "NORMAL_95",
    "STALE",
    "UNOFFICIAL",
    "UPLOAD_LABEL",
    "Board",
    "BoardRound",
    "BoardTask",
    "Curve",
    "Entry",
    "Progress",
    "RunLine",
    "SubmissionDetail",
    "SubmissionList",
    "SubmissionPage",
    "Upload",
]

NORMAL_95 = 1.959964
"""Standard errors on each side of a 95 % interval."""

UNOFFICIAL = "unofficial: no sandbox"
"""Mark of a result of a run without isolation, everywhere."""

STALE = "stale: other data, model, code or machine than the newest score"
"""Mark of a score that is not comparable with the newest one, everywhere."""

UPLOAD_LABEL = "predictions only, calls not metered"
"""Mark of a prediction upload's scores, everywhere."""


@dataclass(frozen=True, slots=True)
class BoardTask:
    """A task as everybody may see it."""

    name: str
    metric: str
    budget_calls: int
    kshot_seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BoardRound:
    """A round as everybody may see it.

    Attributes:
        digest: SHA-256 (hex) of the rules.
        phase: by the clock when read; as stored: what the organizer set.
        is_final: scores are those on the private rows.
        opens, closes: aware UTC.
        frozen_at: when the board was frozen, or None.
        is_practice: the test labels are known outside, so scores prove little.
        is_registered_only: only teams that the organizer added take part.
        max_submissions_per_day, max_submissions: of a team; None means no limit.
        is_packaged: the project ships a round of this name.
        noise: baseline -> its noise floor, where one was measured.
        rules: the public part of the round file, a table per section; "task" maps names to tables.
    """

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
    frozen_at: datetime | None = None
    is_practice: bool = True
    is_registered_only: bool = False
    max_submissions_per_day: int | None = None
    max_submissions: int | None = None
    is_packaged: bool = False
    noise: Mapping[str, NoiseFloor] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Name and version as an address or a command takes them, so that a newer version changes nothing."""
        return with_version(self.name, self.version)

    @property
    def score_notice(self) -> str:
        """A sentence on when scores are shown; empty if they are shown now."""
        shown_from = Phase(self.rules["visibility"]["scores"])
        if self.phase.has_reached(shown_from):
            return ""
        when = {Phase.OPEN: "once the round has opened", Phase.CLOSED: "once the round has closed"}
        return f"Scores are shown {when.get(shown_from, 'with publication')}."


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission in one line.

    Attributes:
        team, solver, description: written by people: never markup.
        digest: SHA-256 (hex) of the submission's content.
        verdict: of its worst run, once all have ended.
        is_checkpoint: a run was scored on its last checkpoint.
        is_complete: every run has a score.
        score: raw 0-100, mean over tasks; None if not complete.
        public_score: the same on the public rows, which `Force_Best` compares; `score` until publication.
        task_scores: raw 0-100 per task in the order of the round; None where a seed is missing.
        seed_scores: task -> k-shot seed -> raw 0-100; None where a run has no score.
        calls: charged, over all runs; `budget_calls` is what all runs may be charged.
        tokens, engine_s, wall_s: real tokens, seconds of forward computation, and seconds over all runs.
        n_runs, n_runs_done, n_runs_held: tasks x k-shot seeds, those that have ended, those on hold.
        submitted_at, finished_at: aware UTC.
        is_official: False if a run was made without isolation.
        efficiency: see `harness.metrics.efficiency`; None while test curves are hidden.
        sparkline: best train loss so far, mean over runs, on a logarithmic grid of the budget.
        counts: it is the one submission of its team that stands on the board.
        rank: among competitors; None for a baseline, an unofficial one, or one that does not count.
        tier: from 1; entries of one tier do not differ clearly from its leader (`harness.metrics.tiers`).
        is_pareto: official, and no other such entry is as good on score and calls, and better on one.
        standard_error: of the score over test rows and k-shot seeds, in points.
        change: ranks gained within a week; None if it was not ranked then.
        is_stale: data, model, code, packages or profile differ from those of the newest complete submission.
    """

    submission_id: int
    team: str
    solver: str
    description: str
    digest: str
    is_baseline: bool
    is_example: bool
    status: Status
    verdict: Verdict | None
    is_checkpoint: bool
    is_complete: bool
    score: float | None
    public_score: float | None
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
    seed_scores: Mapping[str, Mapping[int, float | None]] = field(default_factory=dict)
    is_official: bool = True
    counts: bool = False
    rank: int | None = None
    tier: int | None = None
    is_pareto: bool = False
    standard_error: float | None = None
    efficiency: float | None = None
    sparkline: tuple[float, ...] = ()
    change: int | None = None
    is_stale: bool = False

    @property
    def margin(self) -> float | None:
        """Half the width of the score's 95 % interval; None if unknown."""
        return None if self.standard_error is None else NORMAL_95 * self.standard_error


@dataclass(frozen=True, slots=True)
class Upload:
    """Scores (0-100, rounded to 0.1) of a prediction upload on the public test rows; never ranked.

    `name` is written by people: never markup. `digest` is the SHA-256 (hex) of the archive.
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
        entries: at most two per owner: the one that counts, and a newer one that is not complete.
        n_submissions: all submissions of the round, also those that do not count.
        version: of the public store when this was read.
        uploads: prediction uploads, best first.
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
    is_checkpoint: bool
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
    hold_reason: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """Curves of the runs of a task, per k-shot seed.

    Attributes:
        calls: rising call counts, one grid for all seeds.
        losses: best train loss so far, as long as `calls`; None before the first.
        scores: (calls charged, test score) of each incumbent, by rising calls; empty while they are hidden.
    """

    task: str
    calls: tuple[int, ...]
    losses: Mapping[int, tuple[float | None, ...]]
    scores: Mapping[int, tuple[tuple[int, float], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run that has not ended; `best_train_loss` is None before the first."""

    task: str
    kshot_seed: int
    calls: int
    budget_calls: int
    best_train_loss: float | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionList:
    """Some submissions of a round, newest first, and the number in all."""

    round: BoardRound
    entries: tuple[Entry, ...]
    n_found: int


@dataclass(frozen=True, slots=True)
class SubmissionDetail:
    """What a submission's page shows beyond its entry; runs and curves in the order of the round.

    `confusions` maps a task to its confusion matrix: how often each class (column) was predicted for each
    true class (row), summed over k-shot seeds; empty while it is hidden.
    """

    runs: tuple[RunLine, ...]
    curves: tuple[Curve, ...] = ()
    confusions: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmissionPage:
    """All that everybody may see of a submission; see `SubmissionDetail`."""

    round: BoardRound
    entry: Entry
    runs: tuple[RunLine, ...]
    curves: tuple[Curve, ...]
    confusions: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
