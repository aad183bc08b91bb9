"""A public store of any size, written row by row without runs: for the bench of the board.

Scores, calls and curves are drawn from a seeded generator; who counts and who ranks is decided by the
same functions as in an arena.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sample_arena import _START, _TASKS, sample_round

from harness.metrics.ranking import Contender, choose, pareto_front, rank
from harness.store.curves import SPARKLINE_POINTS, log_grid
from harness.store.database import PUBLIC, open_database, sqlite_url
from harness.store.public_rules import public_rules

__all__ = ["build_large_store"]

_SEEDS = (8, 13, 42, 50, 60)
_N_BASELINES = 5


def build_large_store(path: Path, n_submissions: int = 10_000, n_rounds: int = 3, n_teams: int = 400) -> None:
    """Write a store with five tasks and five few-shot seeds per submission: 25 runs each.

    Args:
        path: a file that does not exist.
        n_submissions: over all rounds.
        n_rounds: rounds of about the same size.
        n_teams: teams per round; each round has five reference methods beside.
    """
    open_database(PUBLIC, sqlite_url(path)).dispose()
    rng = np.random.default_rng(7)
    # A connection that stayed open would leave a log as large as the store, which every reader would read.
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        _insert(connection, "meta", [{"id": 1, "version": 1, "published_at": _moment(0)}])
        ends = np.linspace(0, n_submissions, n_rounds + 1).astype(int)
        for number in range(n_rounds):
            _write_round(connection, number + 1, range(ends[number] + 1, ends[number + 1] + 1), n_teams, rng)


def _write_round(
    connection: sqlite3.Connection, round_id: int, numbers: range, n_teams: int, rng: np.random.Generator
) -> None:
    facts = sample_round(f"round-{round_id}", _SEEDS)
    _insert(
        connection,
        "rounds",
        [
            {
                "id": round_id,
                "name": facts.name,
                "version": facts.version,
                "digest": facts.digest,
                "title": facts.title,
                "rule": facts.rule.value,
                "phase": "open",
                "phase_then": "open",
                "is_final": 0,
                "is_practice": 1,
                "is_registered_only": 0,
                "opens": _moment(0),
                "closes": _moment(90 * 24 * 60),
                "rules": json.dumps(public_rules(facts.rules_json)),
                "tasks": json.dumps(
                    [
                        {
                            "name": task.name,
                            "metric": task.metric,
                            "budget_calls": task.budget_calls,
                            "kshot_seeds": list(task.kshot_seeds),
                        }
                        for task in facts.tasks
                    ]
                ),
                "revision": 1,
            }
        ],
    )
    entries = [_entry(round_id, number, position, n_teams, rng) for position, number in enumerate(numbers)]
    _insert(connection, "entries", entries)
    _insert(connection, "runs", [run for entry in entries for run in _runs(entry, rng)])
    _insert(connection, "curves", (curve for entry in entries for curve in _curves(entry["submission_id"])))
    contenders = {
        entry["submission_id"]: Contender(
            submission_id=entry["submission_id"],
            owner=(entry["team"], entry["name"] if entry["is_baseline"] else ""),
            total=entry["score"],
            public_total=entry["score"],
            calls=entry["calls"],
            submitted_at=_START + timedelta(minutes=entry["submission_id"]),
            is_ranked=not entry["is_baseline"],
        )
        for entry in entries
    }
    counted, _ = choose(contenders.values(), facts.rule)
    places = rank(counted)
    merits = [contenders[place.submission_id] for place in places]
    front = pareto_front([None if each.total is None else (each.total, each.calls) for each in merits])
    _insert(
        connection,
        "leader",
        [
            {
                "round_id": round_id,
                "team": contenders[place.submission_id].owner[0],
                "slot": contenders[place.submission_id].owner[1],
                "submission_id": place.submission_id,
                "rank": place.rank,
                "position": place.position,
                "change": int(rng.integers(-3, 4)) if place.rank else None,
                "tier": 1 + place.position // 20,
                "is_pareto": int(is_pareto),
                "standard_error": 0.4,
            }
            for place, is_pareto in zip(places, front, strict=True)
        ],
    )


def _entry(
    round_id: int, number: int, position: int, n_teams: int, rng: np.random.Generator
) -> dict[str, Any]:
    is_baseline = position < _N_BASELINES
    is_complete = is_baseline or rng.random() < 0.9
    level = float(rng.normal(65, 8))
    tasks = {name: round(float(np.clip(level + rng.normal(0, 3), 0, 100)), 6) for name, _, _ in _TASKS}
    budget = sum(calls * len(_SEEDS) for _, _, calls in _TASKS)
    score = sum(tasks.values()) / len(tasks) if is_complete else None
    status = "finished" if is_complete else str(rng.choice(["failed", "running", "queued"]))
    n_runs = len(_TASKS) * len(_SEEDS)
    return {
        "submission_id": number,
        "round_id": round_id,
        "team": "baselines" if is_baseline else f"Team {position % n_teams:03d}",
        "name": f"reference {position}" if is_baseline else f"solver {number}",
        "description": "A generated submission.",
        "digest": f"{number:064x}",
        "is_baseline": int(is_baseline),
        "is_example": 0,
        "status": status,
        "verdict": {"finished": "OK", "failed": "RTE"}.get(status),
        "is_flagged": 0,
        "is_official": 1,
        "is_complete": int(is_complete),
        "score": score,
        "public_score": score,
        "task_scores": json.dumps(tasks if is_complete else dict.fromkeys(tasks)),
        "calls": int(budget * 10 ** rng.uniform(-2, 0)),
        "budget_calls": budget,
        "tokens": int(rng.integers(10**6, 10**9)),
        "engine_s": float(rng.uniform(60, 6000)),
        "wall_s": float(rng.uniform(100, 9000)),
        "n_runs": n_runs,
        "n_runs_done": n_runs if status in {"finished", "failed"} else 3,
        "n_runs_held": 0,
        "submitted_at": _moment(number),
        "finished_at": _moment(number + 30) if is_complete else None,
        "is_pending_shown": 0,
        "sparkline": json.dumps([round(0.9 - 0.04 * point, 3) for point in range(SPARKLINE_POINTS)]),
        "revision": 1,
    }


def _runs(entry: dict[str, Any], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    scores = json.loads(entry["task_scores"])
    for place, (task, _, budget) in enumerate(_TASKS):
        for seat, seed in enumerate(_SEEDS):
            number = entry["submission_id"] * 100 + place * len(_SEEDS) + seat
            score = scores[task]
            yield {
                "run_id": number,
                "submission_id": entry["submission_id"],
                "task": task,
                "kshot_seed": seed,
                "solver_seed": 1,
                "status": entry["status"] if entry["is_complete"] else "failed",
                "is_held": 0,
                "hold_reason": "",
                "verdict": "OK" if entry["is_complete"] else "RTE",
                "is_flagged": 0,
                "is_official": 1,
                "score": None if score is None else score + float(rng.normal(0, 0.5)),
                "calls": entry["calls"] // entry["n_runs"],
                "budget_calls": budget,
                "n_attempts": 1,
                "message": "",
                "hashes": json.dumps({"submission": entry["digest"]}),
                "artifact_sha256": f"{number:064x}",
                "wall_s": 30.0,
                "engine_s": 20.0,
                "tokens": 10**6,
                "ended_at": _moment(number % 10**5),
            }


_CURVE_TEXTS: dict[int, tuple[str, str]] = {}


def _curves(submission_id: int) -> Iterator[dict[str, Any]]:
    for task, _, budget in _TASKS:
        if budget not in _CURVE_TEXTS:
            grid = log_grid(budget)
            losses = {str(seed): [round(1.0 - 0.015 * at, 4) for at in range(len(grid))] for seed in _SEEDS}
            _CURVE_TEXTS[budget] = json.dumps(grid), json.dumps(losses)
        calls, losses_text = _CURVE_TEXTS[budget]
        yield {
            "submission_id": submission_id,
            "task": task,
            "calls": calls,
            "losses": losses_text,
            "scores": "{}",
        }


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    names = ", ".join(f'"{name}"' for name in first)
    marks = ", ".join(f":{name}" for name in first)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", first)
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", iterator)


def _moment(minutes: int) -> str:
    return (_START + timedelta(minutes=int(minutes))).strftime("%Y-%m-%d %H:%M:%S.%f")
