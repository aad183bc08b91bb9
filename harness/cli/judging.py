"""`gradfree rejudge ...|replay|score-predictions`: the organizer recomputes or scores results."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, MAX_NUMBER, Home, Json, Reason, RoundName, Shared, Unsafe, stores
from harness.cli.output import console, picked, print_json
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.sandbox import require_mode
from harness.store.paths import ArenaPaths
from harness.store.public import UPLOAD_LABEL
from harness.store.sealed import rejudges
from harness.store.sealed.rounds import find_round

__all__ = ["rejudge", "replay", "score_predictions_"]

rejudge = typer.Typer(help="Run a round a second time in secret, compare, then apply or cancel.", no_args_is_help=True)


@rejudge.command("stage")
def stage(name: RoundName, reason: Reason = "", home: Home = DEFAULT_ARENA) -> None:
    """Queue every finished submission a second time, after all others; hidden on the board."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        row = rejudges.stage_rejudge(tx, find_round(tx, name), reason)
        staged = rejudges.to_stored_rejudge(tx, row)
    console.print(f"rejudge {staged.rejudge_id}: {staged.n_runs_done} of {staged.n_runs} runs have ended")


@rejudge.command("show")
def show(name: RoundName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Show the progress of a staged rejudge and the runs that differ (scores on the public rows)."""
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        row = rejudges.find_rejudge(tx, find_round(tx, name))
        staged = rejudges.to_stored_rejudge(tx, row)
    if as_json:
        differences = [
            {
                "submission": item.submission_id,
                **picked(item, "name", "task", "kshot_seed", "verdicts", "scores", "calls"),
            }
            for item in staged.differences
        ]
        counts = picked(staged, "state", "n_runs", "n_runs_done")
        print_json({"rejudge": staged.rejudge_id, **counts, "differences": differences})
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
    """Drop the staged results; the first results stay."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        rejudges.cancel_rejudge(tx, rejudges.find_rejudge(tx, find_round(tx, name)))
    console.print("cancelled: nothing has changed")


def replay(
    run: Annotated[int, typer.Argument(max=MAX_NUMBER, help="A run's number; `gradfree status NUMBER` lists them.")],
    other: Annotated[Path | None, typer.Option("--with", help="Run this version of the solver instead.")] = None,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """Execute a run again and report whether it is bit-identical, or the first query that differs."""
    from harness.rounds.replay import replay_run

    _ = shared
    mode = require_mode(unsafe=unsafe)
    with stores(home) as (paths, sealed, _):
        report = replay_run(sealed, paths, run, mode, other=other)
    difference = report.difference
    if as_json:
        print_json(
            {
                "run": run,
                **picked(report, "is_identical", "n_queries"),
                "difference": None if difference is None else asdict(difference),
                **picked(report, "is_same_result", "changed"),
            }
        )
    elif report.is_identical:
        console.print(f"run {run}: bit-identical, {report.n_queries} queries and the result")
    elif difference is None:
        console.print(f"run {run}: all {report.n_queries} queries are identical, but the result differs")
    else:
        cause = {
            "request": "the solver sent another query",
            "response": "the same query got another response: device, model or packages differ",
            "missing": "the replay stopped before it",
            "extra": "the record ends before it",
        }[difference.what]
        console.print(f"run {run}: first differs at query {difference.query} of {report.n_queries}: {cause}")
        if report.message:
            console.print(escape(f"the replay ended with: {report.message}"))
    if not as_json:
        for name, (then, now) in report.changed.items():
            console.print(f"  {name}: {then[:12]} then, {now[:12]} now")
    if not report.is_identical:
        raise typer.Exit(1)


def score_predictions_(
    archive: Annotated[Path, typer.Argument(help="A zip of <Task>/<seed>.csv files, header ',pred'.", exists=True)],
    round_: Annotated[
        str, typer.Option("--round", help="A packaged round's name, the path of a round file, or a round of the arena.")
    ],
    publish: Annotated[
        str | None, typer.Option("--publish", help="Show the scores under this name on the board of the arena.")
    ] = None,
    team: Annotated[str | None, typer.Option("--team", help="With --publish: the team whose quota is used.")] = None,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Score a prediction upload in the format of the competition, as the organizer: unranked, unmetered."""
    from harness.rounds.uploads import publish_predictions, score_predictions

    _ = shared
    config = _known_round(round_, home)
    if (publish is None) != (team is None):
        raise UsageError("--publish and --team go together: published scores count against the quota of a team")
    if publish is None or team is None:
        report = score_predictions(archive, config)
    else:
        with stores(home) as (_, sealed, publisher):
            report = publish_predictions(sealed, publisher, config, archive, publish, team)
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "label": UPLOAD_LABEL,
                "published_as": publish,
                "rank": None,
                "score": report.total,
                **picked(report, "tasks", "seeds"),
                "upload_label_order": report.label_order,
            }
        )
        return
    console.print(f"{escape(archive.name)} on {report.round_name}: {report.total:.1f} ({UPLOAD_LABEL}; not ranked)")
    for task, score in report.tasks.items():
        seeds = ", ".join(f"seed {seed}: {value:.1f}" for seed, value in report.seeds[task].items())
        meaning = ", ".join(f"{number} = {name}" for number, name in enumerate(report.label_order[task]))
        console.print(escape(f"  {task}: {score:.1f} ({seeds}); numbers read as {meaning}"))
    if publish is not None:
        console.print(escape(f"shown on the board of {report.round_name} as {publish}"))


def _known_round(name: str, home: Path) -> RoundConfig:
    """Return a packaged round, a round file, or else the round of that name in the arena.

    Raises:
        UsageError: no round has that name, or the file is not valid.
    """
    try:
        return load_round(name)
    except UsageError:
        if Path(name).exists() or not ArenaPaths(home).sealed_db.exists():
            raise
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        return find_round(tx, name).config


def _arrow(first: object, second: object) -> str:
    return f"{first}" if first == second else f"{first} -> {second}"
