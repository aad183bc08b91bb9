"""The command `gradfree`. Exit codes: 0 done, 1 submission failed, 2 usage, 3 platform error, 130 Ctrl-C."""

import errno
import signal
import sys

import typer
from rich.markup import escape

from harness.cli import (
    archives,
    baselines,
    bench,
    board,
    demo,
    doctor,
    judging,
    participant,
    rounds,
    submissions,
    team,
    worker,
)
from harness.cli.output import errors
from harness.errors import GradfreeError, InfrastructureError, UsageError

__all__ = ["app", "main"]

_INTERRUPTED = 128 + signal.SIGINT
"""Exit code of Typer after Ctrl-C."""

app = typer.Typer(
    name="gradfree",
    help="Gradfree Arena: metered, sandboxed competitions of gradient-free tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("new")(participant.new)
app.command("check")(participant.check)
app.command("try")(participant.try_)
app.command("submit")(submissions.submit_)
app.command("status")(submissions.status)
app.command("logs")(submissions.logs)
app.command("cancel")(submissions.cancel)
app.command("resubmit")(submissions.resubmit)
app.command("worker")(worker.worker)
rounds.rounds.command("export")(archives.export)
rounds.rounds.command("verify")(archives.verify)
app.add_typer(rounds.rounds, name="round")
app.add_typer(team.team, name="team")
app.add_typer(baselines.baselines, name="baselines")
app.add_typer(judging.rejudge, name="rejudge")
app.command("replay")(judging.replay)
app.command("score-predictions")(judging.score_predictions_)
app.command("board")(board.board)
app.command("bench")(bench.bench)
app.command("backup")(archives.backup)
app.command("restore")(archives.restore)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; print an error of `harness.errors` and exit with its code."""
    try:
        app()
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            errors.print("stopped")
        raise
    except GradfreeError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 (last resort: a bug of the platform exits with 3, as documented)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            name = escape(str(error.filename))
            errors.print(f"[bold red]error:[/] {name}: no file can have so long a name", soft_wrap=True)
            sys.exit(UsageError.exit_code)
        errors.print_exception()
        errors.print(f"[bold red]error:[/] internal error (platform side): {escape(repr(error))}", soft_wrap=True)
        sys.exit(InfrastructureError.exit_code)
