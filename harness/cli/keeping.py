"""`gradfree backup|restore`: an arena as one archive for its organizer."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home
from harness.cli.output import console
from harness.rounds import backup as keeper
from harness.store import ArenaPaths

__all__ = ["backup", "restore"]


def backup(
    target: Annotated[Path, typer.Argument(help="The archive to write (.tar.gz).")],
    home: Home = DEFAULT_ARENA,
) -> None:
    """Back an arena up while it runs. The archive holds private scores: keep it to yourself."""
    keeper.backup(ArenaPaths(home), target)
    console.print(escape(f"{target}: {target.stat().st_size} bytes; it holds private scores"))


def restore(archive: Annotated[Path, typer.Argument(help="A backup.")], home: Home = DEFAULT_ARENA) -> None:
    """Make an arena from a backup, in a folder that does not exist yet."""
    keeper.restore(archive, ArenaPaths(home))
    console.print(escape(f"restored into {home}; what ran at the time of the backup is queued again"))
