"""The organizer's commands: round, worker, score-predictions."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, Shared, Unsafe, sandbox_mode, stores
from harness.cli.output import board_json, console, print_board, print_json
from harness.cli.progress import RunDisplay
from harness.config import load_round
from harness.rounds import (
    Worker,
    baseline_folder,
    create_round,
    packaged_baselines,
    score_predictions,
    stored_config,
    submit,
)
from harness.rounds.intake import BASELINE_TEAM
from harness.rounds.uploads import LABEL
from harness.store import ArenaPaths, PublicStore

__all__ = ["rounds", "score_predictions_", "worker"]

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


@rounds.command("list")
def list_(home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """List the rounds of an arena."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        found = store.rounds()
    if as_json:
        print_json(
            [{"name": item.name, "version": item.version, "phase": item.phase.value, "digest": item.digest} for item in found]
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


def worker(
    home: Home = DEFAULT_ARENA,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is left to do.")] = False,
    shared: Shared = None,
    unsafe: Unsafe = False,
) -> None:
    """Run what is queued, until stopped."""
    _ = shared
    mode = sandbox_mode(unsafe=unsafe)
    with stores(home) as (paths, sealed, publisher), RunDisplay() as display:
        publisher.publish()
        runner = Worker(sealed, publisher, paths, mode, display.on_event)
        if until_idle:
            console.print(f"{runner.run_until_idle()} runs ended")
            return
        stop = threading.Event()
        # A polite stop lets the run in progress end; a second signal is the default one.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda signum, _frame: (stop.set(), signal.signal(signum, signal.SIG_DFL)))
        console.print("waiting for runs; stop with Ctrl-C")
        runner.run_forever(stop)


def score_predictions_(
    archive: Annotated[Path, typer.Argument(help="A zip of <Task>/<seed>.csv files, header ',pred'.", exists=True)],
    round_: Annotated[str, typer.Option("--round", help="A packaged round's name, or the path of a round file.")],
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Score predictions in the real competition's upload format: unranked, calls not metered."""
    _ = shared
    report = score_predictions(archive, load_round(round_))
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "label": LABEL,
                "rank": None,
                "score": report.total,
                "tasks": dict(report.tasks),
                "seeds": {task: dict(seeds) for task, seeds in report.seeds.items()},
                "upload_label_order": {task: list(order) for task, order in report.label_order.items()},
            }
        )
        return
    console.print(f"{escape(archive.name)} on {report.round_name}: {report.total:.1f} ({LABEL}; not ranked)")
    for task, score in report.tasks.items():
        seeds = ", ".join(f"seed {seed}: {value:.1f}" for seed, value in report.seeds[task].items())
        meaning = ", ".join(f"{number} = {name}" for number, name in enumerate(report.label_order[task]))
        console.print(escape(f"  {task}: {score:.1f} ({seeds}); numbers read as {meaning}"))
