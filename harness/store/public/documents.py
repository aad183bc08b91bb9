"""From sealed rows to public documents: the one file that decides what everybody may see.

A private score is not copied before its round is published: a public file without it cannot leak it.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC

import numpy as np

from harness.config import TaskConfig, packaged_rounds
from harness.metrics.curves import best_so_far, log_grid, mean_curve
from harness.metrics.efficiency import efficiency
from harness.metrics.noise import NoiseFloor
from harness.metrics.ranking import mean_of_seeds, total_score
from harness.records import IntArray, Status
from harness.store.public.board import BoardRound, BoardTask, Curve, Entry, RunLine, SubmissionDetail, Upload
from harness.store.public.rules import public_rules
from harness.store.public.view import View, counting_score
from harness.store.sealed.evidence import PLATFORM_HASHES
from harness.store.sealed.replicates import TestSet
from harness.store.sealed.schema import RoundRow, RunRow, SubmissionRow, UploadRow
from harness.store.values import TERMINAL

__all__ = ["detail_document", "entry_document", "made_with", "round_document", "upload_document"]


def round_document(row: RoundRow, view: View) -> BoardRound:
    """Return a round as everybody may see it; its phase is the organizer's, and a reader applies the clock."""
    rules = row.config.round
    return BoardRound(
        round_id=row.id,
        name=row.name,
        version=row.version,
        title=rules.title,
        digest=row.digest,
        phase=row.phase,
        rule=rules.rule,
        is_final=view.is_final,
        opens=None if rules.opens is None else rules.opens.astimezone(UTC),
        closes=None if rules.closes is None else rules.closes.astimezone(UTC),
        tasks=tuple(BoardTask(task.name, task.metric, task.budget_calls, task.kshot_seeds) for task in row.config.task),
        frozen_at=row.frozen_at,
        is_practice=row.config.is_practice,
        is_registered_only=row.config.is_registered_only,
        max_submissions_per_day=rules.max_submissions_per_day,
        max_submissions=rules.max_submissions,
        is_packaged=row.name in packaged_rounds(),
        # A floor reveals the mean score of a baseline.
        noise={name: NoiseFloor(**floor) for name, floor in (row.noise or {}).items()} if view.has_scores else {},
        rules=public_rules(row.config),
    )


def entry_document(row: SubmissionRow, view: View) -> Entry:
    """Return a submission in one line, without its place on the board."""
    tasks = row.round.config.task
    of_task = {task.name: [run for run in row.runs if run.task == task.name] for task in tasks}
    is_hidden = view.hides(row)
    seed_scores = {
        task.name: {run.kshot_seed: _visible_score(run, view, task) for run in of_task[task.name]} for task in tasks
    }
    task_scores = {name: mean_of_seeds(list(scores.values())) for name, scores in seed_scores.items()}
    public_scores = {name: mean_of_seeds([run.score_public for run in runs]) for name, runs in of_task.items()}
    is_complete = row.status is Status.FINISHED and view.has_scores and not is_hidden
    summaries = [run.summary for run in row.runs if run.summary is not None and not is_hidden]
    return Entry(
        submission_id=row.id,
        team=row.team.name,
        solver=row.name,
        description=row.description,
        digest=row.digest,
        is_baseline=row.is_baseline,
        is_example=row.is_example,
        status=row.status,
        verdict=None if is_hidden else row.verdict,
        is_checkpoint=any(summary.is_checkpoint for summary in summaries),
        is_complete=is_complete,
        score=total_score(task_scores) if is_complete else None,
        public_score=total_score(public_scores) if is_complete else None,
        task_scores=task_scores,
        seed_scores=seed_scores,
        calls=sum(summary.usage.calls for summary in summaries),
        budget_calls=sum(task.budget_calls * len(of_task[task.name]) for task in tasks),
        tokens=sum(summary.usage.tokens for summary in summaries),
        engine_s=sum(summary.usage.engine_s for summary in summaries),
        wall_s=sum((summary.solve_s for summary in summaries), 0.0),
        n_runs=len(row.runs),
        n_runs_done=sum(run.status in TERMINAL for run in row.runs),
        n_runs_held=sum(run.is_held for run in row.runs),
        submitted_at=row.submitted_at,
        finished_at=row.finished_at,
        is_official=all(run.is_official for run in row.runs),
        efficiency=_efficiency(of_task, tasks, view) if is_complete else None,
        sparkline=()
        if is_hidden
        else tuple(
            mean_curve(
                (run.summary.train_losses, task.budget_calls)
                for task in tasks
                for run in of_task[task.name]
                if run.summary is not None and run.summary.train_losses
            )
        ),
    )


def detail_document(
    row: SubmissionRow, view: View, predictions: Mapping[int, IntArray], test_sets: Mapping[str, TestSet]
) -> SubmissionDetail:
    """Return what a submission's page shows beyond its entry, in the order of the round.

    Args:
        row: the submission.
        view: what everybody may see of the round.
        predictions: run -> predicted classes int64 (B,).
        test_sets: task -> its test labels.
    """
    tasks = row.round.config.task
    of_task = {
        task.name: sorted((run for run in row.runs if run.task == task.name), key=lambda run: run.id) for task in tasks
    }
    curves = [] if view.hides(row) else [_curve(task, of_task[task.name], view) for task in tasks]
    return SubmissionDetail(
        runs=tuple(_run_line(run, view, task) for task in tasks for run in of_task[task.name]),
        curves=tuple(curve for curve in curves if curve is not None),
        confusions=_confusions(row, view, predictions, test_sets),
    )


def upload_document(row: UploadRow) -> Upload:
    """Return the scores of a prediction upload."""
    return Upload(
        upload_id=row.id,
        name=row.name,
        digest=row.digest,
        score=row.score,
        task_scores=dict(row.task_scores),
        created_at=row.created_at,
    )


def made_with(row: SubmissionRow) -> str:
    """Return the SHA-256 (hex) over what the scores of a submission were made with; "" without any score."""
    parts = {
        f"{run.task} {name} {run.summary.hashes[name]}"
        for run in row.runs
        if run.score_public is not None and run.summary is not None
        for name in PLATFORM_HASHES
        if name in run.summary.hashes
    }
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest() if parts else ""


def _visible_score(run: RunRow, view: View, task: TaskConfig) -> float | None:
    if not view.has_scores or view.hides(run.submission):
        return None
    return counting_score(run, is_final=view.is_final, has_private_rows=task.has_private_rows)


def _efficiency(of_task: Mapping[str, list[RunRow]], tasks: tuple[TaskConfig, ...], view: View) -> float | None:
    """Return the mean over tasks of the mean over seeds, or None where it is hidden or unknown."""
    if not view.has_curves:
        return None
    means = {}
    for task in tasks:
        manual = view.manual_scores.get(task.name)
        if manual is None or manual >= 100.0 or task.budget_calls < 2:
            return None
        curves = [_test_curve(run, view, task) for run in of_task[task.name]]
        means[task.name] = mean_of_seeds(
            [efficiency(curve, manual, task.budget_calls) if curve else None for curve in curves]
        )
    return total_score(means)


def _test_curve(run: RunRow, view: View, task: TaskConfig) -> tuple[tuple[int, float], ...]:
    is_private = view.is_final and task.has_private_rows
    incumbents = () if run.summary is None else run.summary.incumbents
    return tuple(
        (calls, private if is_private and private is not None else public) for calls, public, private in incumbents
    )


def _run_line(run: RunRow, view: View, task: TaskConfig) -> RunLine:
    is_hidden = view.hides(run.submission)
    shown = None if is_hidden else run.summary
    return RunLine(
        run_id=run.id,
        task=run.task,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        hold_reason=run.hold_reason,
        verdict=None if is_hidden else run.verdict,
        is_checkpoint=shown is not None and shown.is_checkpoint,
        is_official=run.is_official,
        score=_visible_score(run, view, task),
        calls=0 if is_hidden else run.calls,
        budget_calls=task.budget_calls,
        n_attempts=len(run.attempts),
        message="" if is_hidden else _visible_message(run, view),
        hashes={} if run.summary is None else run.summary.hashes,
        artifact_sha256="" if run.summary is None else run.summary.artifact_sha256,
        wall_s=None if shown is None else shown.solve_s,
        engine_s=None if shown is None else shown.usage.engine_s,
        tokens=None if shown is None else shown.usage.tokens,
        ended_at=run.ended_at,
    )


def _visible_message(run: RunRow, view: View) -> str:
    """Return why a run ended as it did: an exception's text is the solver's own, as its log is."""
    if view.has_logs or not run.message or run.verdict is None:
        return run.message
    is_checkpoint = run.summary is not None and run.summary.is_checkpoint
    return run.verdict.name.replace("_", " ").lower() + (", scored on a checkpoint" if is_checkpoint else "")


def _curve(task: TaskConfig, runs: list[RunRow], view: View) -> Curve | None:
    """Return the curves of a task, or None if no run has any."""
    grid = log_grid(task.budget_calls)
    losses: dict[int, tuple[float | None, ...]] = {}
    scores: dict[int, tuple[tuple[int, float], ...]] = {}
    for run in runs:
        if run.summary is None or not (run.summary.train_losses or run.summary.incumbents):
            continue
        if view.has_curves and view.has_scores and run.summary.incumbents:
            scores[run.kshot_seed] = _test_curve(run, view, task)
        losses[run.kshot_seed] = tuple(best_so_far(run.summary.train_losses, grid))
    return Curve(task.name, tuple(grid), losses, scores) if losses else None


def _confusions(
    row: SubmissionRow, view: View, predictions: Mapping[int, IntArray], test_sets: Mapping[str, TestSet]
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Return the confusion matrix of each task, summed over its scored runs.

    Over the public test rows until publication and over the private ones afterwards, as the scores are;
    empty while test curves are hidden, since a matrix reveals more of the labels than a score does.
    """
    if view.hides(row) or not (view.has_curves and view.has_scores):
        return {}
    counts: dict[str, IntArray] = {}
    for run in row.runs:
        test = test_sets.get(run.task)
        if test is None or run.id not in predictions or run.score_public is None:
            continue
        is_private = view.is_final and row.round.task(run.task).has_private_rows
        shown = ~test.is_public if is_private else test.is_public
        pairs = test.labels[shown] * test.n_classes + predictions[run.id][shown]
        of_run = np.bincount(pairs, minlength=test.n_classes**2).reshape(test.n_classes, test.n_classes)
        counts[run.task] = counts.get(run.task, 0) + of_run
    return {task: tuple(map(tuple, matrix.tolist())) for task, matrix in counts.items()}
