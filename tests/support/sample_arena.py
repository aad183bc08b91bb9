"""Synthetic arenas of any size, made through the real store: for tests, benches, and trying the board.

No model runs; scores, losses and times are drawn from a seeded generator. Every state of a submission
occurs: complete, scored on a checkpoint, unofficial, failed, running, waiting, held and cancelled.
"""

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np

from harness.config import load_round
from harness.metrics.official import score as official_score
from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.publisher import Publisher
from harness.store.run_result import RunResult
from harness.store.values import ClaimedRun, RoundFacts, TaskFacts
from harness.store.writer import SealedStore

__all__ = ["SAMPLE_TASKS", "build_sample_arena", "publish_sample_arena", "sample_result", "sample_round"]

_TASKS = (
    ("SST-2", "accuracy", 3000),
    ("QQP", "accuracy", 8000),
    ("QNLI", "accuracy", 8000),
    ("SNLI", "f1_macro", 8000),
    ("DBPedia", "f1_macro", 3000),
)
SAMPLE_TASKS = tuple(name for name, _, _ in _TASKS)

_BASELINES = (("BBTv2", 74.0), ("BBT", 68.5), ("random search", 57.0), ("manual", 49.0))
_ADJECTIVES = ("Ivory", "Ionic", "Lucid", "Vivid", "Keen", "Quiet", "Rapid", "Tidal", "Mossy", "Polar")
_NOUNS = ("Moths", "Bandits", "Sieve", "Swarm", "Herons", "Otters", "Foxes", "Lynx", "Quanta", "Atlas")
_METHODS = ("NES", "surrogate GP", "SPSA", "bandit prompts", "TPE", "annealing")
_OTHERS = ("Broken Compass", "Slow Loris", "Held Breath", "Second Thoughts", "Early Bird", "Late Arrival")
_START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
_BETWEEN_SUBMISSIONS = timedelta(hours=12)
_N_CLASSES = {"SST-2": 2, "QQP": 2, "QNLI": 2, "SNLI": 3, "DBPedia": 14}
_N_TEST_ROWS = 300


class _Clock:
    """Time that passes between submissions alone, so that a sample arena is weeks old."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> datetime:
        return self.now


def sample_round(
    name: str = "sample",
    kshot_seeds: tuple[int, ...] = (8, 13, 42, 50, 60),
    rule: ScoringRule = ScoringRule.FORCE_BEST,
) -> RoundFacts:
    """Return a round with the five official task names."""
    rules = json.loads(load_round("official").canonical_json())
    rules["round"]["name"] = name
    titles = {title.replace("-", "").lower(): title for title in SAMPLE_TASKS}
    for task in rules["task"]:
        task["name"] = titles[task["name"]]
    text = json.dumps(rules, sort_keys=True)
    return RoundFacts(
        name=name,
        version="1.0",
        digest=hashlib.sha256(text.encode()).hexdigest(),
        rules_json=text,
        tasks=tuple(TaskFacts(task, metric, budget, kshot_seeds) for task, metric, budget in _TASKS),
        title="Gradient-free tuning of a frozen language model",
        rule=rule,
        opens=_START,
        closes=_START + timedelta(days=60),
    )


def sample_result(
    claim: ClaimedRun,
    level: float,
    *,
    verdict: Verdict = Verdict.OK,
    is_flagged: bool = False,
    message: str = "",
    calls: int | None = None,
    is_official: bool = True,
) -> RunResult:
    """Return a plausible result for a claimed run.

    Args:
        claim: the run.
        level: public score about which the run's own is drawn, 0-100.
        verdict: how the run ended; the ones that are never scored give no score.
        is_flagged: scored on a checkpoint.
        message: for the participant.
        calls: charged calls; None draws them.
        is_official: False as if it had run without a sandbox.
    """
    rng = np.random.default_rng([claim.run_id, claim.solver_seed])
    # Solvers differ a lot in how much they ask, their runs a little.
    thrift = 10 ** np.random.default_rng(claim.submission_id).uniform(-2.0, 0.0)
    spent = int(claim.budget_calls * thrift * rng.uniform(0.7, 1.0)) if calls is None else calls
    is_scored = verdict is Verdict.OK or is_flagged
    labels, is_public = _test_set(claim.task)
    chance = np.clip(level + rng.normal(0.0, 1.5), 0.0, 100.0) / 100.0
    n_classes = _N_CLASSES[claim.task]
    others = (labels + rng.integers(1, n_classes, len(labels))) % n_classes
    predictions = np.where(rng.random(len(labels)) < chance, labels, others)
    metric = next(metric for name, metric, _ in _TASKS if name == claim.task)
    score, private = (
        official_score(metric, labels[rows], predictions[rows], n_classes) for rows in (is_public, ~is_public)
    )
    steps = np.unique(np.geomspace(1, max(spent, 1), 40).astype(int))
    losses = (
        0.2 + 0.9 * (1.0 - level / 120.0) * np.exp(-steps / (spent / 3 + 1)) + rng.normal(0, 0.02, len(steps))
    )
    started = _START + timedelta(minutes=claim.run_id)
    wall_s = 20.0 + spent / 25.0
    return RunResult(
        verdict=verdict,
        score_public=score if is_scored else None,
        # A hair off, so that no private score is by chance a public one.
        score_private=private * (1.0 - 1e-6 * rng.random()) if is_scored else None,
        usage=Usage(
            calls=spent,
            queries=math.ceil(spent / 20),
            examples=spent * 32,
            tokens=spent * 32 * 60,
            engine_s=wall_s * 0.8,
            solver_s=wall_s * 0.1,
        ),
        budget_calls=claim.budget_calls,
        started_at=started,
        ended_at=started + timedelta(seconds=wall_s),
        is_flagged=is_flagged,
        message=message,
        artifact_path=f"{claim.run_id}.json",
        artifact_sha256=hashlib.sha256(f"artifact {claim.run_id}".encode()).hexdigest(),
        hashes={"submission": claim.digest, "round": claim.round_digest},
        train_loss_curve=tuple(
            (int(at), float(loss)) for at, loss in zip(steps, np.maximum(losses, 0.0), strict=True)
        ),
        predictions=predictions,
        wall_s=wall_s,
        is_official=is_official,
    )


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
    with (
        SealedStore.open(paths, clock=clock) as sealed,
        Publisher.open(paths, sealed, clock=clock) as publisher,
    ):
        facts = sample_round(kshot_seeds=kshot_seeds)
        sealed.add_round(facts)
        for name in SAMPLE_TASKS:
            labels, is_public = _test_set(name)
            sealed.keep_test_set(
                facts.name,
                facts.version,
                name,
                digest="e" * 64,
                n_classes=_N_CLASSES[name],
                labels=labels,
                is_public=is_public,
            )
        sealed.ensure_team("baselines", is_baseline_owner=True)
        for number in range(n_teams):
            team = _team_name(number)
            sealed.ensure_team(team)
            level = 80.0 - 30.0 * number / max(n_teams, 1)
            clock.now += _BETWEEN_SUBMISSIONS
            for attempt in range(2 if number % 3 == 0 else 1):
                method = f"{_METHODS[number % len(_METHODS)]} v{attempt + 1}"
                _submit(sealed, facts.name, team, method)
                _run_all(sealed, level + 4 * attempt)
        for name, level in _BASELINES:
            _submit(sealed, facts.name, "baselines", name, is_baseline=True)
            _run_all(sealed, level, calls=0 if name == "manual" else None)
        running = _other_states(sealed, facts.name)
        digest = hashlib.sha256(b"predictions").hexdigest()
        scores = dict(zip(SAMPLE_TASKS, (88.1, 80.3, 79.4, 71.2, 95.0), strict=True))
        sealed.add_upload(facts.name, "Unmetered", digest, scores, 82.8)
        publisher.publish()
        if running is not None:
            publisher.report(running, running.budget_calls // 3, 0.4321)


def publish_sample_arena(paths: ArenaPaths) -> None:
    """Cancel what has not ended, close the round and publish its private scores."""
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        for submission in sealed.list_submissions():
            if submission.finished_at is None:
                sealed.cancel_submission(submission.submission_id, "the round is over")
        sealed.set_phase("sample", Phase.CLOSED)
        sealed.set_phase("sample", Phase.PUBLISHED)
        publisher.publish()


def _other_states(sealed: SealedStore, round_name: str) -> ClaimedRun | None:
    for team in (
        "Broken Compass",
        "Slow Loris",
        "Held Breath",
        "Second Thoughts",
        "Early Bird",
        "Late Arrival",
    ):
        sealed.ensure_team(team)
    _submit(sealed, round_name, "Broken Compass", "division by zero")
    _run_all(
        sealed,
        0.0,
        verdict=Verdict.RUNTIME_ERROR,
        message="ZeroDivisionError: division by zero (solver.py:12)",
    )
    _submit(sealed, round_name, "Slow Loris", "patient search")
    _run_all(
        sealed, 60.0, verdict=Verdict.TIME_LIMIT, is_flagged=True, message="cpu_s: used 600 s, allowed 600 s"
    )
    sealed.ensure_team("example")
    _submit(sealed, round_name, "example", "open window", is_example=True)
    _run_all(sealed, 76.0, is_official=False)
    _submit(sealed, round_name, "Held Breath", "unlucky")
    for _ in range(2):
        claim = sealed.claim_run("sample", 600)
        if claim is not None:
            sealed.void_attempt(sealed.start_attempt(claim), "the device was lost")
    _run_all(sealed, 55.0)
    cancelled = _submit(sealed, round_name, "Second Thoughts", "withdrawn")
    sealed.cancel_submission(cancelled, "the team asked for it")
    _submit(sealed, round_name, "Early Bird", "in progress")
    for _ in range(len(SAMPLE_TASKS) + 2):
        _run_one(sealed, 70.0)
    running = sealed.claim_run("sample", 3600)
    _submit(sealed, round_name, "Late Arrival", "in the queue")
    return running


def _submit(
    sealed: SealedStore,
    round_name: str,
    team: str,
    name: str,
    *,
    is_baseline: bool = False,
    is_example: bool = False,
) -> int:
    digest = hashlib.sha256(f"{team} {name}".encode()).hexdigest()
    return sealed.add_submission(
        round_name,
        team,
        name,
        digest,
        f"submissions/{digest}",
        description=f"A sample of {name}.",
        is_baseline=is_baseline,
        is_example=is_example,
    )


def _run_all(
    sealed: SealedStore,
    level: float,
    *,
    verdict: Verdict = Verdict.OK,
    is_flagged: bool = False,
    message: str = "",
    calls: int | None = None,
    is_official: bool = True,
) -> None:
    while _run_one(
        sealed,
        level,
        verdict=verdict,
        is_flagged=is_flagged,
        message=message,
        calls=calls,
        is_official=is_official,
    ):
        pass


def _run_one(
    sealed: SealedStore,
    level: float,
    *,
    verdict: Verdict = Verdict.OK,
    is_flagged: bool = False,
    message: str = "",
    calls: int | None = None,
    is_official: bool = True,
) -> bool:
    claim = sealed.claim_run("sample", 600)
    if claim is None:
        return False
    result = sample_result(
        claim,
        level,
        verdict=verdict,
        is_flagged=is_flagged,
        message=message,
        calls=calls,
        is_official=is_official,
    )
    sealed.finish_run(claim, sealed.start_attempt(claim), result)
    return True


def _team_name(number: int) -> str:
    name = f"{_ADJECTIVES[number % len(_ADJECTIVES)]} {_NOUNS[number * 7 % len(_NOUNS)]}"
    return name if number < len(_ADJECTIVES) else f"{name} {number}"
