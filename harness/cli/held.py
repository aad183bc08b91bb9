"""Runs that our own faults keep from a result: no command ends well while there are some."""

from collections import Counter
from pathlib import Path

import typer
from rich.markup import escape

from harness.cli.options import in_arena
from harness.cli.output import errors
from harness.errors import InfrastructureError
from harness.store import SealedStore
from harness.store.round_names import with_version
from leaderboard.wording import counted

__all__ = ["refuse_held"]


def refuse_held(sealed: SealedStore, home: Path, round_name: str | None = None) -> None:
    """Say what is on hold, in one round or in all, and what to do.

    Raises:
        typer.Exit: something is; with the code of a fault of ours.
    """
    held = Counter(
        with_version(entry.round_name, entry.round_version)
        for entry in sealed.list_submissions(round_name, is_everything=True)
        for run in entry.runs
        if run.is_held
    )
    if held:
        errors.print(f"{counted(held.total(), 'run')} on hold after faults of ours; mend the cause, then:")
        for name in held:
            errors.print(escape(f"  gradfree round release {name}{in_arena(home)}"), soft_wrap=True)
        raise typer.Exit(InfrastructureError.exit_code)
