"""`gradfree round ...`: the life of a round, from its creation to its publication."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, RoundName, Shared, in_arena, stores
from harness.cli.output import console, counted, moment, picked, print_board, print_json
from harness.config import load_round
from harness.records import Phase, Status
from harness.rounds.intake import enter_baselines
from harness.rounds.lifecycle import check_round, create_round
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.sealed.evidence import stale_submissions
from harness.store.sealed.noise import add_repeats
from harness.store.sealed.queue import release_hold
from harness.store.sealed.rounds import find_round, set_phase
from harness.store.sealed.rounds import unfreeze as unfreeze_board
from harness.store.sealed.submissions import list_submissions
from leaderboard.export import board_document

__all__ = ["rounds"]

rounds = typer.Typer(help="Create, open, close and publish rounds.", no_args_is_help=True)


@rounds.command("create")
def create(
    source: Annotated[str, typer.Argument(help="A packaged round's name, or the path of a round file.")],
    home: Home = DEFAULT_ARENA,
    is_draft: Annotated[
        bool, typer.Option("--draft", help="Accept no submissions until `gradfree round open`.")
    ] = False,
    shared: Shared = None,
) -> None:
    """Validate a round file with its data and model, and open the round in an arena."""
    _ = shared
    config = load_round(source)
    check_round(config)
    with stores(home, must_exist=False) as (_, sealed, publisher):
        create_round(sealed, publisher, config, Phase.DRAFT if is_draft else Phase.OPEN)
    runs = sum(len(task.kshot_seeds) for task in config.task)
    console.print(
        f"round {config.name} {config.round.version}: {counted(len(config.task), 'task')}, "
        f"{counted(runs, 'run')} per submission, digest {config.digest()[:12]}"
    )


@rounds.command("baselines")
def baselines(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Enter the baselines into a round; a worker runs them."""
    with stores(home) as (paths, sealed, publisher):
        with sealed.read() as tx:
            config = find_round(tx, name).config
        for baseline, (number, is_new) in enter_baselines(sealed, publisher, paths, config).items():
            state = "is queued" if is_new else "is in the round already"
            console.print(f"{baseline}: submission {number} {state}")


@rounds.command("release")
def release(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Queue the runs on hold after platform errors again; repair the cause first."""
    with stores(home) as (_, sealed, publisher):
        with sealed.write() as tx:
            held = [
                (submission, run)
                for submission in list_submissions(tx, find_round(tx, name), is_everything=True)
                for run in submission.runs
                if run.is_held
            ]
            for _, run in held:
                release_hold(tx, run.run_id)
        for submission, run in held:
            console.print(escape(f"{submission.name}: {run.task} seed {run.kshot_seed} is queued again"))
        publisher.publish()
    console.print(f"{counted(len(held), 'run')} released")


@rounds.command("open")
def open_(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Open a draft or closed round for submissions."""
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        is_tried = any(
            item.is_baseline and item.status is Status.FINISHED for item in list_submissions(tx, find_round(tx, name))
        )
    _move(home, name, Phase.OPEN)
    if not is_tried:
        console.print(
            escape(
                "this round is untested, no baseline has run in it yet: "
                f"gradfree round baselines {name}{in_arena(home)}"
            )
        )


@rounds.command("close")
def close(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Accept no more submissions; queued ones still run."""
    _move(home, name, Phase.CLOSED)


@rounds.command("freeze")
def freeze(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Freeze the board: later results are hidden until it is unfrozen or published."""
    _move(home, name, Phase.FROZEN)


@rounds.command("unfreeze")
def unfreeze(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Show the results hidden by a freeze; an open round stays open."""
    with stores(home) as (_, sealed, publisher):
        with sealed.write() as tx:
            unfreeze_board(tx, find_round(tx, name))
        publisher.publish()
    console.print(escape(f"the board of round {name} shows everything again"))


@rounds.command("publish")
def publish(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Show the private scores of a closed round in which every submission has ended. Cannot be undone."""
    _move(home, name, Phase.PUBLISHED)


def _move(home: Path, name: str, phase: Phase) -> None:
    with stores(home) as (_, sealed, publisher):
        with sealed.write() as tx:
            row = find_round(tx, name)
            set_phase(tx, row, phase)
            present, opens = row.phase_at(tx.now), row.config.round.opens
        publisher.publish()
    until = f" until its file opens it, {moment(opens)}" if present is Phase.DRAFT and opens else ""
    console.print(escape(f"round {name} is {present}{until}"))


@rounds.command("stale")
def stale(name: RoundName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """List scores whose data, model, code, packages or numeric profile differ from the newest score's."""
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        found = stale_submissions(tx, find_round(tx, name))
    if as_json:
        print_json([{"submission": number, "differs": list(names)} for number, names in found.items()])
        return
    for number, names in found.items():
        console.print(f"submission {number}: other {', '.join(names)}")
    console.print(
        f"{counted(len(found), 'submission')} stale; rejudge the round: "
        + escape(f"gradfree rejudge stage {name}{in_arena(home)}")
        if found
        else "every score was made with the same data, model, code and packages"
    )


@rounds.command("final")
def final(name: RoundName, home: Home = DEFAULT_ARENA) -> None:
    """Run the final phase: the standing submissions of a closed round, on k-shot seeds drawn now."""
    from harness.rounds.final import draw_final

    with stores(home) as (_, sealed, publisher):
        made, queued = draw_final(sealed, publisher, name)
    console.print(escape(f"round {made.config.name} {made.config.version}: {queued} submissions are queued"))


@rounds.command("noise")
def noise(
    name: RoundName,
    baseline: Annotated[str, typer.Option("--baseline", help="A baseline of the round.")] = "bbtv2",
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="Number of runs in total.")] = 5,
    home: Home = DEFAULT_ARENA,
) -> None:
    """Repeat a baseline with other solver seeds to measure the noise floor of the round."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        added = add_repeats(tx, find_round(tx, name), baseline, repeats)
    console.print(f"{added} repeats of {baseline} are queued after all others; {repeats} in all")


@rounds.command("list")
def list_(home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """List the rounds of an arena."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        found = store.rounds()
    if as_json:
        print_json([picked(item, "name", "version", "phase", "digest", "opens", "closes") for item in found])
        return
    if not found:
        console.print("none yet: gradfree round create ROUND")
    for item in found:
        console.print(escape(f"{item.name} {item.version}: {item.phase.value}, {item.title}"))
        for what, at in (("opens", item.opens), ("closes", item.closes)):
            if at is not None:
                console.print(f"  {what} {moment(at)}")


@rounds.command("show")
def show(name: RoundName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Print the ranking of a round."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        board = store.board(name)
    if as_json:
        print_json(board_document(board))
    else:
        print_board(board)
