"""`gradfree worker`: run what is queued."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer

from harness.cli.held import refuse_held
from harness.cli.options import DEFAULT_ARENA, Home, Shared, Unsafe, sandbox_mode, stores
from harness.cli.output import console
from harness.config import shared_folder
from harness.errors import UsageError
from harness.store import SealedStore
from harness.store.round_names import with_version
from leaderboard.wording import counted

__all__ = ["worker"]


def worker(
    home: Home = DEFAULT_ARENA,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when nothing is left to do.")
    ] = False,
    slots: Annotated[
        int,
        typer.Option(
            "--slots", min=1, max=64, help="Runs at a time: one model, each solver in a sandbox of its own."
        ),
    ] = 1,
    shared: Shared = None,
    unsafe: Unsafe = False,
    lease_s: Annotated[
        float,
        typer.Option("--lease-s", min=3.0, help="Seconds until a dead worker's run may be taken by another."),
    ] = 30.0,
) -> None:
    """Run what is queued, until stopped."""
    from harness.cli.progress import RunDisplay
    from harness.rounds.spool_intake import intake_running
    from harness.rounds.worker import Worker
    from harness.sandbox import SandboxMode

    _ = shared
    mode = sandbox_mode(unsafe=unsafe)
    with (
        stores(home) as (paths, sealed, publisher),
        RunDisplay() as display,
        intake_running(sealed, publisher, paths),
    ):
        _refuse_missing_folder(sealed)
        sealed.sweep()
        publisher.publish()
        if mode is SandboxMode.UNSAFE:
            console.print(
                "no sandbox: only reference methods and packaged examples run here, and their results are "
                "unofficial; submissions of others wait for a worker with a sandbox"
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
            """Let the run in progress end; a second signal interrupts, so that the run is given back at once."""
            stop.set()
            handle_both(signal.default_int_handler)

        handle_both(stop_politely)
        console.print("waiting for runs; stop with Ctrl-C")
        runner.run_forever(stop)


def _refuse_missing_folder(sealed: SealedStore) -> None:
    """Else every run that waits would be tried, fail by our fault, and be held.

    Raises:
        UsageError: a round with waiting runs names the shared folder, and this machine has none there.
    """
    if shared_folder().is_dir():
        return
    for stored in sealed.list_rounds():
        name = with_version(stored.facts.name, stored.facts.version)
        if "@shared/" in stored.facts.rules_json and sealed.has_waiting_runs(name):
            raise UsageError(
                f"runs of round {name} wait, whose files are in the shared folder, and {shared_folder()} is none: "
                "name it with --shared or GRADFREE_SHARED"
            )
