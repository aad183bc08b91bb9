"""A public store of any size, written row by row without runs: for the bench of the board.

Scores, calls and curves are drawn from a seeded generator; who counts and who ranks is decided by the
same functions as in an arena.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sample_arena import _START, _TASKS, sample_round

from harness.metrics.curves import SPARKLINE_POINTS, log_grid
from harness.metrics.ranking import Contender, choose, pareto_front, rank
from harness.records import Phase, Status, Verdict
from harness.store.database import open_to_write, sqlite_url
from harness.store.public.board import BoardRound, BoardTask, Curve, Entry, RunLine, SubmissionDetail
from harness.store.public.publisher import _DETAIL, _ENTRY, _PLACE_FIELDS, _ROUND, _text
from harness.store.public.rules import public_rules
from harness.store.public.schema import PUBLIC

__all__ = ["build_large_store"]

_SEEDS = (8, 13, 42, 50, 60)
_N_BASELINES = 5


def build_large_store(path: Path, n_submissions: int = 10_000, n_rounds: int = 3, n_teams: int = 400) -> None:
    """Write a store with five tasks and five k-shot seeds per submission: 25 runs each.

    Args:
        path: a file that does not exist.
        n_submissions: over all rounds.
        n_rounds: rounds of about the same size.
        n_teams: teams per round; each round has five baselines beside.
    """
    open_to_write(PUBLIC, sqlite_url(path)).dispose()
    rng = np.random.default_rng(7)
    # A connection that stayed open would leave a log as large as the store, which every reader would read.
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("UPDATE meta SET version = 1, published_at = ?", (_text_of(_START),))
        ends = np.linspace(0, n_submissions, n_rounds + 1).astype(int)
        for number in range(n_rounds):
            _write_round(connection, number + 1, range(ends[number] + 1, ends[number + 1] + 1), n_teams, rng)


def _write_round(
    connection: sqlite3.Connection, round_id: int, numbers: range, n_teams: int, rng: np.random.Generator
) -> None:
    shown = _round(round_id)
    row = {
        "id": round_id,
        "name": shown.name,
        "version": shown.version,
        "phase_then": shown.phase.value,
        "revision": 1,
        "content": "",
        "newest_made_with": "",
        "document": _text(_ROUND, shown),
    }
    _insert(connection, "rounds", [row])
    entries = [_entry(number, position, n_teams, rng) for position, number in enumerate(numbers)]
    _insert(
        connection,
        "entries",
        (
            {
                "submission_id": entry.submission_id,
                "round_id": round_id,
                "revision": 1,
                "team": entry.team,
                "solver": entry.solver,
                "status": entry.status.value,
                "made_with": "",
                "document": _text(_ENTRY, entry, _PLACE_FIELDS),
                "detail": _text(_DETAIL, SubmissionDetail(tuple(_runs(entry)), _CURVES)),
            }
            for entry in entries
        ),
    )
    contenders = {
        entry.submission_id: Contender(
            submission_id=entry.submission_id,
            owner=(entry.team, entry.solver if entry.is_baseline else ""),
            total=entry.score,
            public_total=entry.score,
            calls=entry.calls,
            submitted_at=entry.submitted_at,
            is_ranked=not entry.is_baseline,
        )
        for entry in entries
    }
    counted, _ = choose(contenders.values(), shown.rule)
    places = rank(counted)
    merits = [contenders[place.submission_id] for place in places]
    front = pareto_front([None if each.total is None else (each.total, each.calls) for each in merits])
    _insert(
        connection,
        "places",
        [
            {
                "submission_id": place.submission_id,
                "round_id": round_id,
                "position": place.position,
                "document": json.dumps(
                    {
                        "counts": True,
                        "rank": place.rank,
                        "tier": 1 + place.position // 20,
                        "is_pareto": bool(is_pareto),
                        "standard_error": 0.4,
                        "change": int(rng.integers(-3, 4)) if place.rank else None,
                    }
                ),
            }
            for place, is_pareto in zip(places, front, strict=True)
        ],
    )


def _round(round_id: int) -> BoardRound:
    config = sample_round(f"round-{round_id}", _SEEDS)
    return BoardRound(
        round_id=round_id,
        name=config.name,
        version=config.version,
        title=config.round.title,
        digest=config.digest(),
        phase=Phase.OPEN,
        rule=config.round.rule,
        is_final=False,
        opens=_START,
        closes=_START + timedelta(days=90),
        tasks=tuple(BoardTask(task.name, task.metric, task.budget_calls, task.kshot_seeds) for task in config.task),
        rules=public_rules(config),
    )


def _entry(number: int, position: int, n_teams: int, rng: np.random.Generator) -> Entry:
    is_baseline = position < _N_BASELINES
    is_complete = is_baseline or rng.random() < 0.9
    level = float(rng.normal(65, 8))
    tasks = {name: round(float(np.clip(level + rng.normal(0, 3), 0, 100)), 6) for name, _, _ in _TASKS}
    budget = sum(calls * len(_SEEDS) for _, _, calls in _TASKS)
    score = sum(tasks.values()) / len(tasks) if is_complete else None
    status = Status.FINISHED if is_complete else Status(rng.choice(["failed", "running", "queued"]))
    has_ended = status in {Status.FINISHED, Status.FAILED}
    n_runs = len(_TASKS) * len(_SEEDS)
    return Entry(
        submission_id=number,
        team="baselines" if is_baseline else f"Team {position % n_teams:03d}",
        solver=f"reference {position}" if is_baseline else f"solver {number}",
        description="A generated submission.",
        digest=f"{number:064x}",
        is_baseline=is_baseline,
        is_example=False,
        status=status,
        verdict={Status.FINISHED: Verdict.OK, Status.FAILED: Verdict.RUNTIME_ERROR}.get(status),
        is_checkpoint=False,
        is_complete=is_complete,
        score=score,
        public_score=score,
        task_scores=tasks if is_complete else dict.fromkeys(tasks),
        seed_scores={
            name: {seed: value + float(rng.normal(0, 0.5)) if is_complete else None for seed in _SEEDS}
            for name, value in tasks.items()
        },
        calls=int(budget * 10 ** rng.uniform(-2, 0)),
        budget_calls=budget,
        tokens=int(rng.integers(10**6, 10**9)),
        engine_s=float(rng.uniform(60, 6000)),
        wall_s=float(rng.uniform(100, 9000)),
        n_runs=n_runs,
        n_runs_done=n_runs if has_ended else 3,
        n_runs_held=0,
        submitted_at=_START + timedelta(minutes=number),
        finished_at=_START + timedelta(minutes=number + 30) if is_complete else None,
        sparkline=tuple(round(0.9 - 0.04 * point, 3) for point in range(SPARKLINE_POINTS)),
    )


def _runs(entry: Entry) -> Iterator[RunLine]:
    status, verdict = (entry.status, Verdict.OK) if entry.is_complete else (Status.FAILED, Verdict.RUNTIME_ERROR)
    for place, (task, _, budget) in enumerate(_TASKS):
        for seat, seed in enumerate(_SEEDS):
            number = entry.submission_id * 100 + place * len(_SEEDS) + seat
            yield RunLine(
                run_id=number,
                task=task,
                kshot_seed=seed,
                solver_seed=1,
                status=status,
                is_held=False,
                verdict=verdict,
                is_checkpoint=False,
                score=entry.seed_scores[task][seed],
                calls=entry.calls // entry.n_runs,
                budget_calls=budget,
                n_attempts=1,
                message="",
                hashes={"submission": entry.digest},
                artifact_sha256=f"{number:064x}",
                wall_s=30.0,
                engine_s=20.0,
                tokens=10**6,
                ended_at=_START + timedelta(minutes=number % 10**5),
            )


def _curve(task: str, budget: int) -> Curve:
    grid = log_grid(budget)
    losses = tuple(round(1.0 - 0.015 * at, 4) for at in range(len(grid)))
    return Curve(task, tuple(grid), dict.fromkeys(_SEEDS, losses))


_CURVES = tuple(_curve(task, budget) for task, _, budget in _TASKS)


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    names = ", ".join(f'"{name}"' for name in first)
    marks = ", ".join(f":{name}" for name in first)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", first)
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", iterator)


def _text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
