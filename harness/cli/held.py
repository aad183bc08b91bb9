"""Runs that our own faults keep from a result: no command ends well while there are some."""

from collections import Counter

import typer
from rich.markup import escape

from harness.cli.output import errors
from harness.errors import InfrastructureError
from harness.store import SealedStore
from harness.store.round_names import with_version

__all__ = ["refuse_held"]


def refuse_held(sealed: SealedStore, round_name: str | None = None) -> None:
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
        errors.print(f"{held.total()} runs are on hold after faults of ours; mend the cause, then:")
        for name in held:
            errors.print(escape(f"  gradfree round release {name}"))
        raise typer.Exit(InfrastructureError.exit_code)
