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
        sealed.sweep()
        publisher.publish()
        if mode is SandboxMode.UNSAFE:
            console.print(
                "no sandbox: only reference methods and packaged examples run here, and their results are "
                "unofficial; submissions of others wait for a worker with a sandbox"
            )
        runner = Worker(sealed, publisher, paths, mode, display.on_event, slots=slots, lease_s=lease_s)
        if until_idle:
            console.print(f"{runner.run_until_idle()} runs ended")
            refuse_held(sealed)
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
