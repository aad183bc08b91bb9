"""`gradfree rejudge ...` and `gradfree replay`: judging again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, MAX_NUMBER, Home, Json, Shared, Unsafe, sandbox_mode, stores
from harness.cli.output import console, print_json
from harness.store.sealed import rejudges
from harness.store.sealed.rounds import find_round
from harness.store.values import StoredRejudge

__all__ = ["rejudge", "replay"]

rejudge = typer.Typer(
    help="Judge a round a second time unseen, compare, then apply or cancel.", no_args_is_help=True
)

RoundName = Annotated[str, typer.Argument(help="A round of this arena.")]


@rejudge.command("stage")
def stage(
    name: RoundName,
    reason: Annotated[str, typer.Option("--reason", help="For the audit.")] = "",
    home: Home = DEFAULT_ARENA,
) -> None:
    """Queue everything that has ended a second time, behind everybody; the board does not show it."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        row = rejudges.stage_rejudge(tx, find_round(tx, name), reason)
        staged = rejudges.to_stored_rejudge(tx, row)
    console.print(f"rejudge {staged.rejudge_id}: {staged.n_runs_done} of {staged.n_runs} runs have ended")


@rejudge.command("show")
def show(name: RoundName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Show how far a staged rejudge is, and which runs differ (scores on the public rows)."""
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        row = rejudges.find_rejudge(tx, find_round(tx, name))
        staged = rejudges.to_stored_rejudge(tx, row)
    if as_json:
        print_json(_rejudge_json(staged))
        return
    console.print(
        f"rejudge {staged.rejudge_id}: {staged.n_runs_done} of {staged.n_runs} runs have ended, "
        f"{len(staged.differences)} differ"
    )
    for item in staged.differences:
        console.print(
            escape(
                f"  submission {item.submission_id} {item.name}, {item.task} seed {item.kshot_seed}: "
                f"{_arrow(*item.verdicts)}, score {_arrow(*item.scores)}, calls {_arrow(*item.calls)}"
            )
        )


@rejudge.command("apply")
def apply(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Replace the first results by the second; the audit keeps the hashes of the first."""
    with stores(home) as (_, sealed, publisher):
        with sealed.write() as tx:
            n_different = rejudges.apply_rejudge(tx, rejudges.find_rejudge(tx, find_round(tx, name)))
        publisher.publish()
    console.print(f"applied: {n_different} runs differ")


@rejudge.command("cancel")
def cancel(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Drop what is staged; the first results stay."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        rejudges.cancel_rejudge(tx, rejudges.find_rejudge(tx, find_round(tx, name)))
    console.print("cancelled: nothing has changed")


def replay(
    run: Annotated[
        int, typer.Argument(max=MAX_NUMBER, help="A run's number; `gradfree status NUMBER` lists them.")
    ],
    other: Annotated[
        Path | None, typer.Option("--with", help="Run this version of the solver in its place.")
    ] = None,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """Execute a run again and report whether it is bit-identical, or where it first differs."""
    from harness.rounds.replay import replay_run

    _ = shared
    mode = sandbox_mode(unsafe=unsafe)
    with stores(home) as (paths, sealed, _):
        report = replay_run(sealed, paths, run, mode, other=other)
    difference = report.difference
    if as_json:
        print_json(
            {
                "run": run,
                "is_identical": report.is_identical,
                "n_queries": report.n_queries,
                "difference": (
                    None
                    if difference is None
                    else {"query": difference.query, "calls": difference.calls, "what": difference.what}
                ),
                "is_same_result": report.is_same_result,
                "changed": {name: list(pair) for name, pair in report.changed.items()},
            }
        )
    elif report.is_identical:
        console.print(f"run {run}: bit-identical, {report.n_queries} queries and the result")
    elif difference is None:
        console.print(f"run {run}: all {report.n_queries} queries are the same, the result is not")
    else:
        blame = {
            "request": "the solver sent another query",
            "response": "the same query got another response: device, model or packages differ",
            "missing": "the replay stopped before it",
            "extra": "the record ends before it",
        }[difference.what]
        console.print(f"run {run}: first differs at query {difference.query} of {report.n_queries}: {blame}")
        if report.message:
            console.print(escape(f"the replay ended with: {report.message}"))
    if not as_json:
        for name, (then, now) in report.changed.items():
            console.print(f"  {name}: {then[:12]} then, {now[:12]} now")
    if not report.is_identical:
        raise typer.Exit(1)


def _rejudge_json(staged: StoredRejudge) -> dict[str, object]:
    return {
        "rejudge": staged.rejudge_id,
        "state": staged.state.value,
        "n_runs": staged.n_runs,
        "n_runs_done": staged.n_runs_done,
        "differences": [
            {
                "submission": item.submission_id,
                "name": item.name,
                "task": item.task,
                "kshot_seed": item.kshot_seed,
                "verdicts": [None if verdict is None else verdict.value for verdict in item.verdicts],
                "scores": list(item.scores),
                "calls": list(item.calls),
            }
            for item in staged.differences
        ],
    }


def _arrow(first: object, second: object) -> str:
    return f"{first}" if first == second else f"{first} -> {second}"
