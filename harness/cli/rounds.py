"""`gradfree round ...`: create and show rounds."""

from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, stores
from harness.cli.output import board_json, console, print_board, print_json
from harness.config import load_round
from harness.rounds.intake import BASELINE_TEAM, baseline_folder, packaged_baselines, submit
from harness.rounds.lifecycle import create_round, stored_config
from harness.store import ArenaPaths, PublicStore

__all__ = ["rounds"]

rounds = typer.Typer(help="Create and show rounds.", no_args_is_help=True)


@rounds.command("create")
def create(
    source: Annotated[str, typer.Argument(help="A packaged round's name, or the path of a round file.")],
    home: Home = DEFAULT_ARENA,
) -> None:
    """Validate a round file and open the round in an arena."""
    config = load_round(source)
    with stores(home, must_exist=False) as (_, sealed, publisher):
        create_round(sealed, publisher, config)
    runs = sum(len(task.kshot_seeds) for task in config.task)
    console.print(
        f"round {config.name} {config.round.version}: {len(config.task)} tasks, {runs} runs per submission, "
        f"digest {config.digest()[:12]}"
    )


@rounds.command("baselines")
def baselines(
    name: Annotated[str, typer.Argument(help="A round of this arena.")], home: Home = DEFAULT_ARENA
) -> None:
    """Enter the reference solvers into a round; a worker will run them."""
    with stores(home) as (paths, sealed, publisher):
        config = stored_config(sealed.get_round(name))
        for baseline in packaged_baselines():
            number = submit(
                sealed, publisher, paths, config, baseline_folder(baseline), BASELINE_TEAM, is_baseline=True
            )
            console.print(f"{baseline}: submission {number} is queued")


@rounds.command("release")
def release(
    name: Annotated[str, typer.Argument(help="A round of this arena.")], home: Home = DEFAULT_ARENA
) -> None:
    """Queue again what is held after faults of ours; mend the cause first."""
    with stores(home) as (_, sealed, publisher):
        held = [
            (submission, run)
            for submission in sealed.list_submissions(name)
            for run in submission.runs
            if run.is_held
        ]
        for submission, run in held:
            sealed.release_hold(run.run_id)
            console.print(escape(f"{submission.name}: {run.task} seed {run.kshot_seed} is queued again"))
        publisher.publish()
    console.print(f"{len(held)} runs released")


@rounds.command("list")
def list_(home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """List the rounds of an arena."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        found = store.rounds()
    if as_json:
        print_json(
            [
                {"name": item.name, "version": item.version, "phase": item.phase.value, "digest": item.digest}
                for item in found
            ]
        )
        return
    for item in found:
        console.print(escape(f"{item.name} {item.version}: {item.phase.value}, {item.title}"))


@rounds.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A round of this arena.")],
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Print a round's ranking."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        board = store.board(name)
    if as_json:
        print_json(board_json(board))
    else:
        print_board(board)
