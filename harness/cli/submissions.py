"""`gradfree submit|status|cancel|resubmit|logs`: a team's submissions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, Number, Reason, Token, in_arena, stores
from harness.cli.output import console, picked, print_json, why_no_scores
from harness.errors import UsageError
from harness.records import Phase
from harness.rounds.intake import is_baseline_name, submit
from harness.rounds.own_scores import read_own_scores
from harness.session.code_check import check_code
from harness.session.submission import read_submission
from harness.store.paths import ArenaPaths
from harness.store.public import STALE, UNOFFICIAL, BoardRound, PublicStore
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import cancel_submission, find_submission, get_submission
from harness.store.sealed.teams import authenticate, find_team, quota_of
from harness.store.values import StoredSubmission

__all__ = ["cancel", "logs", "resubmit", "status", "submit_"]


def submit_(
    path: Annotated[str, typer.Argument(help="A submission's folder or zip.")],
    team: Annotated[str, typer.Option("--team", help="The team that submits.")],
    round_: Annotated[
        str, typer.Option("--round", help="A round of the arena; NAME@VERSION for an older version.")
    ] = "toy",
    token: Token = None,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Submit to a round of an arena; a worker runs the submission."""
    with stores(home) as (paths, sealed, publisher):
        with sealed.read() as tx:
            config = find_round(tx, round_).config
        if is_baseline_name(path):
            raise UsageError(
                f"{path!r} is a baseline; the organizer enters it with `gradfree round baselines {round_}`"
            )
        check_code(read_submission(Path(path), config.limits.submission_bytes))
        number = submit(sealed, publisher, paths, config, Path(path), team, token=token)
        with sealed.read() as tx:
            quota = quota_of(tx, find_round(tx, round_), find_team(tx, team))
    _print_queued(number, home, as_json=as_json)
    if not as_json and quota.left is not None:
        console.print(f"quota: {quota}")


def _print_queued(number: int, home: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"submission": number})
    else:
        followed = escape(f"gradfree status {number}{in_arena(home)}")
        console.print(f"submission {number} is queued. Follow it with: {followed}", soft_wrap=True)


def status(
    number: Number,
    is_own: Annotated[
        bool, typer.Option("--own", help="Add your own scores, if the round shows them to a team before the board.")
    ] = False,
    token: Token = None,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Show the state of a submission and of its runs."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        page = store.submission(number)
        at_work = {(item.task, item.kshot_seed): item.calls for item in store.progress(number)}
    entry = page.entry
    own: Mapping[int, float | None] = {}
    if is_own:
        with stores(home) as (_, sealed, _publisher):
            _own_submission(sealed, number, token)
            own = read_own_scores(sealed, number)
    runs = [
        {
            "run": run.run_id,
            **picked(run, "task", "kshot_seed", "status", "verdict"),
            "score": own.get(run.run_id, run.score),
            "calls": at_work.get((run.task, run.kshot_seed), run.calls),
            **picked(run, "budget_calls", "message", "is_held", "hold_reason"),
        }
        for run in page.runs
    ]
    if as_json:
        head = picked(entry, "solver", "status", "verdict", "is_official", "is_stale")
        print_json({"submission": number, **head, "runs": runs})
        return
    verdict = "" if entry.verdict is None else f", verdict {entry.verdict.value}"
    verdict += "" if entry.is_official else f" ({UNOFFICIAL})"
    verdict += f" ({STALE})" if entry.is_stale else ""
    console.print(
        escape(
            f"{entry.solver} of {entry.team}: {entry.status.value}{verdict}, {entry.n_runs_done} of {entry.n_runs} runs"
        )
    )
    for run in runs:
        score = "-" if run["score"] is None else f"{run['score']:.1f}"
        reason = f"on hold: {run['hold_reason']}" if run["is_held"] else run["message"]
        note = f"  {reason}" if reason else ""
        console.print(
            escape(
                f"  run {run['run']}, {run['task']} seed {run['kshot_seed']}: {run['verdict'] or run['status']}, "
                f"score {score}, {run['calls']} of {run['budget_calls']} calls{note}"
            )
        )
    if not is_own and (hidden := why_no_scores(page.round, None if entry.is_baseline else number)):
        console.print(hidden)
    console.print(escape(_where_logs_are(number, page.round, home)), soft_wrap=True)


def _where_logs_are(number: int, board_round: BoardRound, home: Path) -> str:
    shown_from = Phase(board_round.rules["visibility"]["logs"])
    if board_round.phase.has_reached(shown_from):
        return f"log of your solver, for your team only: gradfree logs {number}{in_arena(home)}"
    return f"the log of your solver is shown to your team once the round is {shown_from}"


def _own_submission(
    sealed: SealedStore, number: int, token: str | None, *, is_organizer: bool = False
) -> StoredSubmission:
    """Return a submission after checking the token of its team.

    Raises:
        UsageError: no submission has that number, or the token is wrong.
    """
    with sealed.read() as tx:
        submission = get_submission(tx, number)
        if not is_organizer:
            authenticate(find_team(tx, submission.team), token)
        return submission


def cancel(number: Number, reason: Reason = "", token: Token = None, home: Home = DEFAULT_ARENA) -> None:
    """Cancel a queued or running submission; it counts against the quota if any of its calls was metered."""
    with stores(home) as (_, sealed, publisher):
        with sealed.write() as tx:
            row = find_submission(tx, number)
            authenticate(row.team, token)
            if row.rejudge_id is not None:
                # Its result would replace the first one.
                raise UsageError(
                    f"submission {number} is a staged copy, which ends only with its rejudge: "
                    f"gradfree rejudge cancel {row.round.full_name}"
                )
            cancel_submission(tx, row, reason)
        publisher.publish()
    console.print(f"submission {number} is cancelled")


def resubmit(number: Number, token: Token = None, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Submit the same files again, as a new submission under the round's quota."""
    with stores(home) as (paths, sealed, publisher):
        with sealed.read() as tx:
            old = get_submission(tx, number)
            config = find_round(tx, old.round_name, old.round_version).config
        if old.is_baseline:
            raise UsageError(
                f"submission {number} is a baseline; enter it again: gradfree round baselines {old.round_name}"
            )
        new = submit(
            sealed,
            publisher,
            paths,
            config,
            paths.submissions / old.path,
            old.team,
            entry="example" if old.is_example else "participant",
            token=token,
        )
    _print_queued(new, home, as_json=as_json)


def logs(
    number: Number,
    task: Annotated[str | None, typer.Option("--task", help="Only this task.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Only this k-shot seed.")] = None,
    token: Token = None,
    is_organizer: Annotated[
        bool,
        typer.Option("--organizer", help="Ignore visibility and tokens, and include the texts of platform errors."),
    ] = False,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Print the logs of a submission, void attempts included, once the round shows them."""
    from harness.rounds.logs import read_logs

    with stores(home) as (paths, sealed, _):
        submission = _own_submission(sealed, number, token, is_organizer=is_organizer)
        runs = [run for run in submission.runs if task in {None, run.task} and seed in {None, run.kshot_seed}]
        if not runs:
            known = ", ".join(f"{run.task} {run.kshot_seed}" for run in submission.runs)
            raise UsageError(f"submission {number} has no run of that task and seed; it has {known}")
        found = [
            log
            for log in read_logs(sealed, paths, number, is_organizer=is_organizer)
            if task in {None, log.task} and seed in {None, log.kshot_seed}
        ]
    if as_json:
        print_json([picked(log, "task", "kshot_seed", "verdict", "message") | {"log": log.text} for log in found])
        return
    if not found and (task is not None or seed is not None):
        console.print("no run of that task and seed has ended; a log can be read after its run has ended")
    elif not found and submission.finished_at is not None:
        console.print("none of its runs was started, so there is no log")
    elif not found:
        console.print(
            escape(
                "nothing yet: a log can be read after its run has ended; state of the runs: "
                f"gradfree status {number}{in_arena(home)}"
            ),
            soft_wrap=True,
        )
    for log in found:
        note = f": {log.message}" if log.message else ""
        console.print(escape(f"== {log.task} seed {log.kshot_seed}: {log.verdict.value}{note}"))
        console.print(escape(log.text.rstrip()) if log.text.strip() else "(no output)")
