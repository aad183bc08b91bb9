"""Sealed rows to public rows: the one place that decides what may be seen."""

from typing import Any

from harness.metrics.ranking import mean_of_seeds, total_score
from harness.records import Status
from harness.store.curves import best_so_far, log_grid
from harness.store.public_schema import PublicCurve, PublicEntry, PublicRound, PublicRun, PublicUpload
from harness.store.sealed_schema import RoundRow, RunRow, SubmissionRow, UploadRow
from harness.store.submissions import TERMINAL
from harness.store.values import Phase

__all__ = ["public_curves", "public_entry", "public_round", "public_run", "public_upload"]


def public_round(row: RoundRow) -> PublicRound:
    """Return the public row of a round."""
    return PublicRound(
        id=row.id,
        name=row.name,
        version=row.version,
        digest=row.digest,
        title=row.title,
        rule=row.rule,
        phase=row.phase,
        is_final=_is_final(row),
        opens=row.opens,
        closes=row.closes,
        tasks=[
            {
                "name": task.name,
                "metric": task.metric,
                "budget_calls": task.budget_calls,
                "kshot_seeds": task.kshot_seeds,
            }
            for task in row.tasks
        ],
        revision=row.revision,
    )


def _is_final(row: RoundRow) -> bool:
    return row.phase is Phase.PUBLISHED


def _visible_score(run: RunRow, round_row: RoundRow) -> float | None:
    """Return the score that everybody may see now: the private one after publication alone."""
    if _is_final(round_row) and run.task.has_private_rows:
        return run.score_private
    return run.score_public


def public_entry(row: SubmissionRow, round_row: RoundRow) -> PublicEntry:
    """Return the summary of a submission as everybody may see it now."""
    runs_of = {task.name: [run for run in row.runs if run.task_id == task.id] for task in round_row.tasks}
    task_scores = {
        name: mean_of_seeds([_visible_score(run, round_row) for run in runs])
        for name, runs in runs_of.items()
    }
    public_scores = {
        name: mean_of_seeds([run.score_public for run in runs]) for name, runs in runs_of.items()
    }
    is_complete = row.status is Status.FINISHED
    used = [run.usage for run in row.runs if run.usage is not None]
    return PublicEntry(
        submission_id=row.id,
        round_id=row.round_id,
        team=row.team.name,
        name=row.name,
        description=row.description,
        digest=row.digest,
        is_baseline=row.is_baseline,
        is_example=row.is_example,
        status=row.status,
        verdict=row.verdict,
        is_flagged=any(run.is_flagged for run in row.runs),
        is_official=all(run.is_official for run in row.runs),
        is_complete=is_complete,
        score=total_score(task_scores) if is_complete else None,
        public_score=total_score(public_scores) if is_complete else None,
        task_scores=task_scores,
        calls=sum(run.calls for run in row.runs),
        budget_calls=sum(run.task.budget_calls for run in row.runs),
        tokens=sum(int(usage["tokens"]) for usage in used),
        engine_s=sum(float(usage["engine_s"]) for usage in used),
        wall_s=sum(run.wall_s or 0.0 for run in row.runs),
        n_runs=len(row.runs),
        n_runs_done=sum(run.status in TERMINAL for run in row.runs),
        n_runs_held=sum(run.is_held for run in row.runs),
        submitted_at=row.submitted_at,
        finished_at=row.finished_at,
        revision=row.revision,
    )


def public_run(run: RunRow, round_row: RoundRow) -> PublicRun:
    """Return the public row of a run."""
    usage: dict[str, Any] = run.usage or {}
    return PublicRun(
        run_id=run.id,
        submission_id=run.submission_id,
        task=run.task.name,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        verdict=run.verdict,
        is_flagged=run.is_flagged,
        is_official=run.is_official,
        score=_visible_score(run, round_row),
        calls=run.calls,
        budget_calls=run.task.budget_calls,
        n_attempts=len(run.attempts),
        message=run.message,
        hashes=dict(run.hashes or {}),
        artifact_sha256=run.artifact_sha256,
        wall_s=run.wall_s,
        engine_s=usage.get("engine_s"),
        tokens=usage.get("tokens"),
        ended_at=run.ended_at,
    )


def public_upload(row: UploadRow) -> PublicUpload:
    """Return the public row of uploaded predictions."""
    return PublicUpload(
        upload_id=row.id,
        round_id=row.round_id,
        name=row.name,
        digest=row.digest,
        score=row.score,
        task_scores=dict(row.task_scores),
        created_at=row.created_at,
        revision=row.revision,
    )


def public_curves(row: SubmissionRow) -> list[PublicCurve]:
    """Return the curves of a submission: one row per task that has any."""
    curves: dict[str, PublicCurve] = {}
    for run in row.runs:
        if not run.train_loss_curve:
            continue
        grid = log_grid(run.task.budget_calls)
        curve = curves.setdefault(
            run.task.name,
            PublicCurve(submission_id=row.id, task=run.task.name, calls=grid, losses={}),
        )
        curve.losses[str(run.kshot_seed)] = best_so_far(run.train_loss_curve, grid)
    return list(curves.values())
