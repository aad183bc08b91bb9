"""`gradfree worker`: run queued submissions."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Shared, Unsafe, in_arena, stores
from harness.cli.output import console, counted, errors, log_json
from harness.config import shared_folder
from harness.errors import InfrastructureError, UsageError
from harness.records import with_version
from harness.sandbox import SandboxMode, require_mode
from harness.store.sealed.claims import has_waiting_runs
from harness.store.sealed.queue import sweep
from harness.store.sealed.rounds import find_round, list_rounds
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions

__all__ = ["refuse_held", "worker"]


def worker(
    home: Home = DEFAULT_ARENA,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when the queue is empty.")] = False,
    slots: Annotated[
        int,
        typer.Option(
            "--slots", min=1, max=64, help="Runs at a time; they share the model, each solver has its own sandbox."
        ),
    ] = 1,
    shared: Shared = None,
    unsafe: Unsafe = False,
    lease_s: Annotated[
        float, typer.Option("--lease-s", min=3.0, help="Seconds until a dead worker's run may be taken by another.")
    ] = 30.0,
    is_log_json: Annotated[
        bool, typer.Option("--log-json", help="Write a JSON line per event to standard error, in place of text.")
    ] = False,
) -> None:
    """Run queued submissions until stopped."""
    from harness.cli.progress import RunDisplay
    from harness.worker.spool_intake import intake_running
    from harness.worker.worker import Worker

    _ = shared
    mode = require_mode(unsafe=unsafe)
    if is_log_json:
        log_json()
    with (
        stores(home) as (paths, sealed, publisher),
        RunDisplay(has_lines=not is_log_json) as display,
        intake_running(sealed, publisher, paths),
    ):
        _refuse_missing_folder(sealed)
        with sealed.write() as tx:
            sweep(tx)
        publisher.publish()
        if mode is SandboxMode.UNSAFE:
            console.print(
                "no sandbox: only baselines and packaged examples run here, and their results are unofficial; "
                "participants' submissions wait for a worker with a sandbox"
            )
        runner = Worker(sealed, publisher, paths, mode, display.on_event, slots=slots, lease_s=lease_s)
        if until_idle:
            console.print(f"{counted(runner.run_until_idle(), 'run')} ended")
            refuse_held(sealed, home)
            return
        stop = threading.Event()

        def handle_both(handler: Callable[[int, FrameType | None], object]) -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, handler)

        def stop_politely(_number: int, _frame: FrameType | None) -> None:
            """Finish the runs in progress; a second signal interrupts them and requeues them at once."""
            stop.set()
            handle_both(signal.default_int_handler)

        handle_both(stop_politely)
        console.print("waiting for runs; stop with Ctrl-C")
        runner.run_forever(stop)


def refuse_held(sealed: SealedStore, home: Path, round_name: str | None = None) -> None:
    """Print the runs on hold after platform errors, in one round or in all, and the command to release them.

    Raises:
        typer.Exit: a run is on hold; with the exit code of a platform error.
    """
    with sealed.read() as tx:
        row = None if round_name is None else find_round(tx, round_name)
        held = Counter(
            with_version(entry.round_name, entry.round_version)
            for entry in list_submissions(tx, row, is_everything=True)
            for run in entry.runs
            if run.is_held
        )
    if held:
        errors.print(f"{counted(held.total(), 'run')} on hold after platform errors; repair the cause, then:")
        for name in held:
            errors.print(escape(f"  gradfree round release {name}{in_arena(home)}"), soft_wrap=True)
        raise typer.Exit(InfrastructureError.exit_code)


def _refuse_missing_folder(sealed: SealedStore) -> None:
    """Refuse to start if waiting runs would all fail for lack of the shared folder.

    Raises:
        UsageError: a round with waiting runs uses the shared folder, which does not exist.
    """
    if shared_folder().is_dir():
        return
    with sealed.read() as tx:
        for stored in list_rounds(tx):
            if "@shared/" in stored.config.canonical_json() and has_waiting_runs(tx, stored.id):
                raise UsageError(
                    f"the shared folder {shared_folder()} does not exist, and waiting runs of round "
                    f"{stored.full_name} need it; name it with --shared or GRADFREE_SHARED"
                )
