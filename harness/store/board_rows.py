"""Rows of the public store to the frozen values of the board."""

from harness.metrics.noise import NoiseFloor
from harness.records import phase_at
from harness.store.board import BoardRound, BoardTask, Curve, Entry, RunLine, Upload
from harness.store.public_schema import (
    PublicCurve,
    PublicEntry,
    PublicLeader,
    PublicRound,
    PublicRun,
    PublicUpload,
)
from harness.store.transactions import utc_now

__all__ = ["to_curve", "to_entry", "to_round", "to_run", "to_upload"]


def to_round(row: PublicRound) -> BoardRound:
    """Return a round as everybody may see it now."""
    return BoardRound(
        round_id=row.id,
        name=row.name,
        version=row.version,
        title=row.title,
        digest=row.digest,
        phase=phase_at(row.phase, row.opens, row.closes, utc_now()),
        rule=row.rule,
        is_final=row.is_final,
        opens=row.opens,
        closes=row.closes,
        tasks=tuple(
            BoardTask(task["name"], task["metric"], task["budget_calls"], tuple(task["kshot_seeds"]))
            for task in row.tasks
        ),
        frozen_at=row.frozen_at,
        is_practice=row.is_practice,
        is_registered_only=row.is_registered_only,
        max_submissions_per_day=row.max_submissions_per_day,
        max_submissions=row.max_submissions,
        noise={name: NoiseFloor(**floor) for name, floor in (row.noise or {}).items()},
        rules=row.rules,
    )


def to_entry(entry: PublicEntry, leader: PublicLeader | None, round_row: PublicRound) -> Entry:
    """Return a submission in one line; `leader` is its row if it counts."""
    return Entry(
        submission_id=entry.submission_id,
        team=entry.team,
        name=entry.name,
        description=entry.description,
        digest=entry.digest,
        is_baseline=entry.is_baseline,
        is_example=entry.is_example,
        status=entry.status,
        verdict=entry.verdict,
        is_flagged=entry.is_flagged,
        is_complete=entry.is_complete,
        counts=leader is not None,
        rank=None if leader is None else leader.rank,
        score=entry.score,
        task_scores={task["name"]: entry.task_scores.get(task["name"]) for task in round_row.tasks},
        calls=entry.calls,
        budget_calls=entry.budget_calls,
        tokens=entry.tokens,
        engine_s=entry.engine_s,
        wall_s=entry.wall_s,
        n_runs=entry.n_runs,
        n_runs_done=entry.n_runs_done,
        n_runs_held=entry.n_runs_held,
        submitted_at=entry.submitted_at,
        finished_at=entry.finished_at,
        is_official=entry.is_official,
        tier=None if leader is None else leader.tier,
        is_pareto=leader is not None and leader.is_pareto,
        standard_error=None if leader is None else leader.standard_error,
        efficiency=entry.efficiency,
        sparkline=tuple(entry.sparkline),
        change=None if leader is None else leader.change,
        is_stale=entry.is_stale,
    )


def to_upload(row: PublicUpload, round_row: PublicRound) -> Upload:
    """Return uploaded predictions, tasks in the order of the round."""
    return Upload(
        upload_id=row.upload_id,
        name=row.name,
        digest=row.digest,
        score=row.score,
        task_scores={task["name"]: row.task_scores[task["name"]] for task in round_row.tasks},
        created_at=row.created_at,
    )


def to_run(run: PublicRun) -> RunLine:
    """Return a run."""
    return RunLine(
        run_id=run.run_id,
        task=run.task,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        verdict=run.verdict,
        is_flagged=run.is_flagged,
        score=run.score,
        calls=run.calls,
        budget_calls=run.budget_calls,
        n_attempts=run.n_attempts,
        message=run.message,
        hashes=run.hashes,
        artifact_sha256=run.artifact_sha256,
        wall_s=run.wall_s,
        engine_s=run.engine_s,
        tokens=run.tokens,
        ended_at=run.ended_at,
        is_official=run.is_official,
        hold_reason=run.hold_reason,
    )


def to_curve(curve: PublicCurve) -> Curve:
    """Return how the runs of a task went."""
    return Curve(
        task=curve.task,
        calls=tuple(curve.calls),
        losses={int(seed): tuple(losses) for seed, losses in curve.losses.items()},
        scores={
            int(seed): tuple((calls, score) for calls, score in points)
            for seed, points in curve.scores.items()
        },
    )
