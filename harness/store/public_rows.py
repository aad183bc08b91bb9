"""Sealed rows to public rows: the one place that decides what may be seen."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.metrics.efficiency import efficiency
from harness.metrics.ranking import mean_of_seeds, total_score
from harness.records import IntArray, Status
from harness.store.curves import best_so_far, log_grid, mean_curve
from harness.store.evidence import OF_THE_PLATFORM, TestSet
from harness.store.public_rules import public_rules
from harness.store.public_schema import (
    PublicConfusion,
    PublicCurve,
    PublicEntry,
    PublicRound,
    PublicRun,
    PublicUpload,
)
from harness.store.sealed_schema import RoundRow, RunRow, SubmissionRow, UploadRow
from harness.store.values import TERMINAL
from harness.store.view import View, score_that_counts

__all__ = [
    "public_confusions",
    "public_curves",
    "public_entry",
    "public_round",
    "public_run",
    "public_upload",
]


def public_round(row: RoundRow, view: View) -> PublicRound:
    """Return the public row of a round."""
    return PublicRound(
        id=row.id,
        name=row.name,
        version=row.version,
        digest=row.digest,
        title=row.title,
        rule=row.rule,
        phase=row.phase,
        phase_then=view.phase,
        is_final=view.is_final,
        frozen_at=row.frozen_at,
        is_practice=row.is_practice,
        is_registered_only=row.is_registered_only,
        max_submissions_per_day=row.max_submissions_per_day,
        max_submissions=row.max_submissions,
        # A floor tells the mean score of a reference method.
        noise=row.noise if view.has_scores else None,
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
        rules=public_rules(row.rules_json),
        revision=row.revision,
    )


def _visible_score(run: RunRow, view: View) -> float | None:
    if not view.has_scores or view.hides(run.submission):
        return None
    return score_that_counts(run, is_final=view.is_final)


def public_entry(row: SubmissionRow, round_row: RoundRow, view: View) -> PublicEntry:
    """Return the summary of a submission as everybody may see it now."""
    runs_of = {task.name: [run for run in row.runs if run.task_id == task.id] for task in round_row.tasks}
    task_scores = {
        name: mean_of_seeds([_visible_score(run, view) for run in runs]) for name, runs in runs_of.items()
    }
    public_scores = {
        name: mean_of_seeds([run.score_public for run in runs]) for name, runs in runs_of.items()
    }
    is_hidden = view.hides(row)
    is_complete = row.status is Status.FINISHED and view.has_scores and not is_hidden
    used = [run.usage for run in row.runs if run.usage is not None and not is_hidden]
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
        verdict=None if is_hidden else row.verdict,
        is_flagged=not is_hidden and any(run.is_flagged for run in row.runs),
        is_official=all(run.is_official for run in row.runs),
        is_complete=is_complete,
        score=total_score(task_scores) if is_complete else None,
        public_score=total_score(public_scores) if is_complete else None,
        task_scores=task_scores,
        calls=0 if is_hidden else sum(run.calls for run in row.runs),
        budget_calls=sum(run.task.budget_calls for run in row.runs),
        efficiency=_efficiency(row, round_row, view) if is_complete else None,
        tokens=sum(int(usage["tokens"]) for usage in used),
        engine_s=sum(float(usage["engine_s"]) for usage in used),
        wall_s=0.0 if is_hidden else sum(run.wall_s or 0.0 for run in row.runs),
        n_runs=len(row.runs),
        n_runs_done=sum(run.status in TERMINAL for run in row.runs),
        n_runs_held=sum(run.is_held for run in row.runs),
        submitted_at=row.submitted_at,
        finished_at=row.finished_at,
        made_with=_made_with(row),
        sparkline=[]
        if is_hidden
        else mean_curve(
            (run.train_loss_curve, run.task.budget_calls) for run in row.runs if run.train_loss_curve
        ),
        revision=row.revision,
    )


def _made_with(row: SubmissionRow) -> str:
    """Return the SHA-256 (hex) over what the scores of a submission were made with; "" without any score."""
    parts = {
        f"{run.task.name} {name} {run.hashes[name]}"
        for run in row.runs
        if run.score_public is not None and run.hashes is not None
        for name in OF_THE_PLATFORM
        if name in run.hashes
    }
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest() if parts else ""


def _efficiency(row: SubmissionRow, round_row: RoundRow, view: View) -> float | None:
    """Return the mean over tasks of the mean over seeds, or None where it is hidden or unknown."""
    if not view.has_curves:
        return None
    means = {}
    for task in round_row.tasks:
        manual = view.manual_scores.get(task.name)
        if manual is None or manual >= 100.0 or task.budget_calls < 2:
            return None
        means[task.name] = mean_of_seeds(
            [
                efficiency(_test_curve(run, view), manual, task.budget_calls) if run.test_curve else None
                for run in row.runs
                if run.task_id == task.id
            ]
        )
    return total_score(means)


def _test_curve(run: RunRow, view: View) -> list[tuple[int, float]]:
    is_private = view.is_final and run.task.has_private_rows
    return [
        (int(calls), private if is_private else public) for calls, public, private in run.test_curve or ()
    ]


def public_run(run: RunRow, view: View) -> PublicRun:
    """Return the public row of a run."""
    is_hidden = view.hides(run.submission)
    usage: dict[str, Any] = {} if is_hidden else run.usage or {}
    return PublicRun(
        run_id=run.id,
        submission_id=run.submission_id,
        task=run.task.name,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        hold_reason=run.hold_reason,
        verdict=None if is_hidden else run.verdict,
        is_flagged=run.is_flagged and not is_hidden,
        is_official=run.is_official,
        score=_visible_score(run, view),
        calls=0 if is_hidden else run.calls,
        budget_calls=run.task.budget_calls,
        n_attempts=len(run.attempts),
        message="" if is_hidden else _visible_message(run, view),
        hashes=dict(run.hashes or {}),
        artifact_sha256=run.artifact_sha256,
        wall_s=None if is_hidden else run.wall_s,
        engine_s=usage.get("engine_s"),
        tokens=usage.get("tokens"),
        ended_at=run.ended_at,
    )


def _visible_message(run: RunRow, view: View) -> str:
    """Return why a run ended as it did: an exception's text is the solver's own, as its log is."""
    if view.has_logs or not run.message or run.verdict is None:
        return run.message
    return run.verdict.name.replace("_", " ").lower() + (", scored on a checkpoint" if run.is_flagged else "")


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


def public_curves(row: SubmissionRow, view: View) -> list[PublicCurve]:
    """Return the curves of a submission: one row per task that has any."""
    curves: dict[str, PublicCurve] = {}
    if view.hides(row):
        return []
    for run in row.runs:
        if not run.train_loss_curve and not run.test_curve:
            continue
        grid = log_grid(run.task.budget_calls)
        curve = curves.setdefault(
            run.task.name,
            PublicCurve(submission_id=row.id, task=run.task.name, calls=grid, losses={}, scores={}),
        )
        if view.has_curves and view.has_scores and run.test_curve:
            curve.scores[str(run.kshot_seed)] = [list(point) for point in _test_curve(run, view)]
        curve.losses[str(run.kshot_seed)] = best_so_far(run.train_loss_curve or (), grid)
    return list(curves.values())


def public_confusions(
    row: SubmissionRow, view: View, predictions: Mapping[int, IntArray], test_sets: Mapping[str, TestSet]
) -> list[PublicConfusion]:
    """Return which class a submission took for which, one row per task, summed over its scored runs.

    Of the public test rows alone until publication, of the private ones afterwards, as the scores are; none
    while test curves are hidden, since a matrix tells more of the labels than a score does.

    Args:
        row: the submission.
        view: what everybody may see of the round.
        predictions: run -> predicted classes int64 (B,).
        test_sets: task -> its test labels.
    """
    if view.hides(row) or not (view.has_curves and view.has_scores):
        return []
    counts: dict[str, IntArray] = {}
    for run in row.runs:
        test = test_sets.get(run.task.name)
        if test is None or run.id not in predictions or run.score_public is None:
            continue
        is_private = view.is_final and run.task.has_private_rows
        shown = ~test.is_public if is_private else test.is_public
        pairs = test.labels[shown] * test.n_classes + predictions[run.id][shown]
        of_run = np.bincount(pairs, minlength=test.n_classes**2).reshape(test.n_classes, test.n_classes)
        counts[run.task.name] = counts.get(run.task.name, 0) + of_run
    return [
        PublicConfusion(submission_id=row.id, task=task, counts=matrix.tolist())
        for task, matrix in counts.items()
    ]
