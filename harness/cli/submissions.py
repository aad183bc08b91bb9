"""`gradfree cancel|resubmit|logs`: what a team does with a submission."""

from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, Number, Token, in_arena, stores
from harness.cli.output import console, print_json
from harness.errors import UsageError
from harness.rounds.intake import submit
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import cancel_submission, find_submission, get_submission
from harness.store.sealed.teams import authenticate, find_team
from harness.store.values import StoredSubmission

__all__ = ["cancel", "logs", "own_submission", "resubmit"]


def own_submission(
    sealed: SealedStore, number: int, token: str | None, *, is_organizer: bool = False
) -> StoredSubmission:
    """Return a submission after checking that the holder of a token may act for its team.

    Raises:
        UsageError: there is none of that number, or the team has another token.
    """
    with sealed.read() as tx:
        submission = get_submission(tx, number)
        if not is_organizer:
            authenticate(find_team(tx, submission.team), token)
        return submission


def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="For the audit.")] = "",
    token: Token = None,
    home: Home = DEFAULT_ARENA,
) -> None:
    """End a submission that waits or runs; it counts against the quota if a call of it was metered."""
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
    if as_json:
        print_json({"submission": new})
    else:
        followed = escape(f"gradfree status {new}{in_arena(home)}")
        console.print(f"submission {new} is queued. Follow it with: {followed}", soft_wrap=True)


def logs(
    number: Number,
    task: Annotated[str | None, typer.Option("--task", help="Of this task alone.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of this k-shot seed alone.")] = None,
    token: Token = None,
    is_organizer: Annotated[
        bool,
        typer.Option(
            "--organizer",
            help="Whatever the round shows, without a token, and with the texts of platform errors.",
        ),
    ] = False,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Print what a submission's solvers printed, void attempts included, once the round shows it."""
    from harness.rounds.logs import read_logs

    with stores(home) as (paths, sealed, _):
        submission = own_submission(sealed, number, token, is_organizer=is_organizer)
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
        print_json(
            [
                {
                    "task": log.task,
                    "kshot_seed": log.kshot_seed,
                    "verdict": log.verdict.value,
                    "message": log.message,
                    "log": log.text,
                }
                for log in found
            ]
        )
        return
    if not found and (task is not None or seed is not None):
        console.print("no run of that task and seed has ended; a log can be read once its run has")
    elif not found and submission.finished_at is not None:
        console.print("no run of it was started, so nothing was printed")
    elif not found:
        console.print(
            escape(
                "nothing yet: a log can be read once its run has ended; how far they are: "
                f"gradfree status {number}{in_arena(home)}"
            ),
            soft_wrap=True,
        )
    for log in found:
        note = f": {log.message}" if log.message else ""
        console.print(escape(f"== {log.task} seed {log.kshot_seed}: {log.verdict.value}{note}"))
        console.print(escape(log.text.rstrip()) if log.text.strip() else "(it printed nothing)")
