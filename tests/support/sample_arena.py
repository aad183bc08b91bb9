"""Synthetic arenas of any size, made through the real store: for tests, benches, and trying the board.

No model runs; scores, losses and times are drawn from a seeded generator. Every state of a submission
occurs: complete, scored on a checkpoint, unofficial, failed, running, waiting, held and cancelled.
"""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from in_store import write

from harness.config import RoundConfig, load_round
from harness.metrics.official import score as official_score
from harness.metrics.ranking import ScoringRule
from harness.records import IntArray, Phase, RunSummary, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.attempts import finish_run, start_attempt, void_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.replicates import TestSet, keep_test_set
from harness.store.sealed.rounds import add_round, find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore, Transaction
from harness.store.sealed.submissions import add_submission, cancel_submission, find_submission, list_submissions
from harness.store.sealed.teams import ensure_team, find_team
from harness.store.sealed.uploads import add_upload
from harness.store.values import ClaimedRun

__all__ = [
    "SAMPLE_TASKS",
    "build_sample_arena",
    "publish_sample_arena",
    "sample_predictions",
    "sample_result",
    "sample_round",
]

_TASKS = (
    ("sst2", "accuracy", 3000),
    ("qqp", "accuracy", 8000),
    ("qnli", "accuracy", 8000),
    ("snli", "f1_macro", 8000),
    ("dbpedia", "f1_macro", 3000),
)
SAMPLE_TASKS = tuple(name for name, _, _ in _TASKS)

_BASELINES = (("BBTv2", 74.0), ("BBT", 68.5), ("random search", 57.0), ("manual", 49.0))
_ADJECTIVES = ("Ivory", "Ionic", "Lucid", "Vivid", "Keen", "Quiet", "Rapid", "Tidal", "Mossy", "Polar")
_NOUNS = ("Moths", "Bandits", "Sieve", "Swarm", "Herons", "Otters", "Foxes", "Lynx", "Quanta", "Atlas")
_METHODS = ("NES", "surrogate GP", "SPSA", "bandit prompts", "TPE", "annealing")
_OTHERS = ("Broken Compass", "Slow Loris", "Held Breath", "Second Thoughts", "Early Bird", "Late Arrival")
_START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
_BETWEEN_SUBMISSIONS = timedelta(hours=12)
_N_CLASSES = {"sst2": 2, "qqp": 2, "qnli": 2, "snli": 3, "dbpedia": 14}
_N_TEST_ROWS = 300


class _Clock:
    """Time that passes between submissions alone, so that a sample arena is weeks old."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> datetime:
        return self.now


def sample_round(
    name: str = "sample", kshot_seeds: tuple[int, ...] = (8, 13, 42, 50, 60), rule: ScoringRule = ScoringRule.FORCE_BEST
) -> RoundConfig:
    """Return a round with the five official tasks."""
    rules = load_round("official").model_dump(mode="json")
    rules["round"] |= {
        "name": name,
        "version": "1.0",
        "title": "Gradient-free tuning of a frozen language model",
        "rule": rule.value,
        "opens": _START.isoformat(),
        "closes": (_START + timedelta(days=60)).isoformat(),
    }
    official = {task["name"]: task for task in rules["task"]}
    rules["task"] = [
        official[task] | {"metric": metric, "budget_calls": budget, "kshot_seeds": list(kshot_seeds)}
        for task, metric, budget in _TASKS
    ]
    return RoundConfig.model_validate(rules)


def sample_result(
    claim: ClaimedRun,
    level: float,
    *,
    verdict: Verdict = Verdict.OK,
    is_checkpoint: bool = False,
    message: str = "",
    calls: int | None = None,
    is_official: bool = True,
) -> RunSummary:
    """Return a plausible result for a claimed run; its scores are those of `sample_predictions`.

    Args:
        claim: the run.
        level: public score about which the run's own is drawn, 0-100.
        verdict: how the run ended; the ones that are never scored give no score.
        is_checkpoint: scored on a checkpoint.
        message: for the participant.
        calls: charged calls; None draws them.
        is_official: False as if it had run without a sandbox.
    """
    rng = np.random.default_rng([claim.run_id, claim.solver_seed, 1])
    # Solvers differ a lot in how much they ask, their runs a little.
    thrift = 10 ** np.random.default_rng(claim.submission_id).uniform(-2.0, 0.0)
    spent = int(claim.budget_calls * thrift * rng.uniform(0.7, 1.0)) if calls is None else calls
    is_scored = verdict is Verdict.OK or is_checkpoint
    labels, is_public = _test_set(claim.task)
    predictions = sample_predictions(claim, level)
    metric = next(metric for name, metric, _ in _TASKS if name == claim.task)
    score, private = (
        official_score(metric, labels[rows], predictions[rows], _N_CLASSES[claim.task])
        for rows in (is_public, ~is_public)
    )
    steps = np.unique(np.geomspace(1, max(spent, 1), 40).astype(int))
    losses = 0.2 + 0.9 * (1.0 - level / 120.0) * np.exp(-steps / (spent / 3 + 1)) + rng.normal(0, 0.02, len(steps))
    started = _START + timedelta(minutes=claim.run_id)
    solve_s = 20.0 + spent / 25.0
    return RunSummary(
        verdict=verdict,
        score_public=score if is_scored else None,
        # A hair off, so that no private score is by chance a public one.
        score_private=private * (1.0 - 1e-6 * rng.random()) if is_scored else None,
        usage=Usage(
            calls=spent,
            queries=math.ceil(spent / 20),
            examples=spent * 32,
            tokens=spent * 32 * 60,
            engine_s=solve_s * 0.8,
            solver_s=solve_s * 0.1,
        ),
        started_at=started,
        ended_at=started + timedelta(seconds=solve_s),
        is_checkpoint=is_checkpoint,
        is_official=is_official,
        message=message,
        artifact_path=f"{claim.run_id}.json",
        artifact_sha256=hashlib.sha256(f"artifact {claim.run_id}".encode()).hexdigest(),
        hashes={"submission": claim.digest, "round": claim.round_digest},
        train_losses=tuple((int(at), float(loss)) for at, loss in zip(steps, np.maximum(losses, 0.0), strict=True)),
        solve_s=solve_s,
    )


def sample_predictions(claim: ClaimedRun, level: float) -> IntArray:
    """Return predicted classes int64 (B,) of which about `level` percent are right."""
    rng = np.random.default_rng([claim.run_id, claim.solver_seed])
    labels, _ = _test_set(claim.task)
    chance = np.clip(level + rng.normal(0.0, 1.5), 0.0, 100.0) / 100.0
    n_classes = _N_CLASSES[claim.task]
    others = (labels + rng.integers(1, n_classes, len(labels))) % n_classes
    return np.where(rng.random(len(labels)) < chance, labels, others)


def _test_set(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of a task's test rows, and which of the rows are public."""
    rng = np.random.default_rng(SAMPLE_TASKS.index(task))
    return rng.integers(0, _N_CLASSES[task], _N_TEST_ROWS), np.arange(_N_TEST_ROWS) % 2 == 0


def build_sample_arena(
    paths: ArenaPaths, n_teams: int = 12, kshot_seeds: tuple[int, ...] = (8, 13, 42, 50, 60)
) -> None:
    """Make an arena: a submission per team, four baselines, one submission in each other state, an upload.

    Args:
        paths: an empty arena folder.
        n_teams: teams with a complete submission; every third one submits twice.
        kshot_seeds: of every task; two or more, so that one submission stays half done.
    """
    clock = _Clock()
    with SealedStore.open(paths, clock=clock) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, _enter_round, kshot_seeds)
        for number in range(n_teams):
            team = _team_name(number)
            write(sealed, ensure_team, team)
            level = 80.0 - 30.0 * number / max(n_teams, 1)
            clock.now += _BETWEEN_SUBMISSIONS
            for attempt in range(2 if number % 3 == 0 else 1):
                method = f"{_METHODS[number % len(_METHODS)]} v{attempt + 1}"
                write(sealed, _submit, team, method)
                _run_all(sealed, level + 4 * attempt)
        for name, level in _BASELINES:
            write(sealed, _submit, "baselines", name, is_baseline=True)
            _run_all(sealed, level, calls=0 if name == "manual" else None)
        running = _other_states(sealed)
        write(sealed, _upload)
        publisher.publish()
        if running is not None:
            publisher.report(running, running.budget_calls // 3, 0.4321)


def publish_sample_arena(paths: ArenaPaths) -> None:
    """Cancel what has not ended, close the round and publish its private scores."""
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        with sealed.write() as tx:
            for submission in list_submissions(tx):
                if submission.finished_at is None:
                    row = find_submission(tx, submission.submission_id)
                    cancel_submission(tx, row, "the round is over")
            row = find_round(tx, "sample")
            set_phase(tx, row, Phase.CLOSED)
            set_phase(tx, row, Phase.PUBLISHED)
        publisher.publish()


def _enter_round(tx: Transaction, kshot_seeds: tuple[int, ...]) -> None:
    config = sample_round(kshot_seeds=kshot_seeds)
    add_round(tx, config)
    row = find_round(tx, config.name)
    for name in SAMPLE_TASKS:
        keep_test_set(tx, row, name, TestSet(*_test_set(name), _N_CLASSES[name], "e" * 64))
    ensure_team(tx, "baselines", is_baseline_owner=True)
    for team in (*_OTHERS, "example"):
        ensure_team(tx, team)


def _other_states(sealed: SealedStore) -> ClaimedRun | None:
    write(sealed, _submit, "Broken Compass", "division by zero")
    _run_all(sealed, 0.0, verdict=Verdict.RUNTIME_ERROR, message="ZeroDivisionError: division by zero (solver.py:12)")
    write(sealed, _submit, "Slow Loris", "patient search")
    _run_all(sealed, 60.0, verdict=Verdict.TIME_LIMIT, is_checkpoint=True, message="cpu_s: used 600 s, allowed 600 s")
    write(sealed, _submit, "example", "open window", is_example=True)
    _run_all(sealed, 76.0, is_official=False)
    write(sealed, _submit, "Held Breath", "unlucky")
    for _ in range(2):
        write(sealed, _void_one)
    _run_all(sealed, 55.0)
    withdrawn = write(sealed, _submit, "Second Thoughts", "withdrawn")
    with sealed.write() as tx:
        cancel_submission(tx, find_submission(tx, withdrawn), "the team asked for it")
    write(sealed, _submit, "Early Bird", "in progress")
    for _ in range(len(SAMPLE_TASKS) + 2):
        write(sealed, _run_one, 70.0)
    running = write(sealed, claim_run, "sample", 3600)
    write(sealed, _submit, "Late Arrival", "in the queue")
    return running


def _submit(tx: Transaction, team: str, name: str, *, is_baseline: bool = False, is_example: bool = False) -> int:
    digest = hashlib.sha256(f"{team} {name}".encode()).hexdigest()
    row = SubmissionRow(
        team=find_team(tx, team),
        name=name,
        digest=digest,
        path=f"submissions/{digest}",
        description=f"A sample of {name}.",
        is_baseline=is_baseline,
        is_example=is_example,
    )
    return add_submission(tx, find_round(tx, "sample"), row).id


def _upload(tx: Transaction) -> None:
    add_upload(
        tx,
        find_round(tx, "sample"),
        name="Unmetered",
        digest=hashlib.sha256(b"predictions").hexdigest(),
        score=82.8,
        task_scores=dict(zip(SAMPLE_TASKS, (88.1, 80.3, 79.4, 71.2, 95.0), strict=True)),
    )


def _void_one(tx: Transaction) -> None:
    claim = claim_run(tx, "sample", 600)
    if claim is not None:
        void_attempt(tx, start_attempt(tx, claim), "the device was lost")


def _run_all(sealed: SealedStore, level: float, **options: Any) -> None:
    """Run everything that waits; the options are those of `sample_result`."""
    while write(sealed, _run_one, level, **options):
        pass


def _run_one(tx: Transaction, level: float, **options: Any) -> bool:
    claim = claim_run(tx, "sample", 600)
    if claim is None:
        return False
    summary = sample_result(claim, level, **options)
    finish_run(tx, claim, start_attempt(tx, claim), summary, sample_predictions(claim, level))
    return True


def _team_name(number: int) -> str:
    name = f"{_ADJECTIVES[number % len(_ADJECTIVES)]} {_NOUNS[number * 7 % len(_NOUNS)]}"
    return name if number < len(_ADJECTIVES) else f"{name} {number}"
