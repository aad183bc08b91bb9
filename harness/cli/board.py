"""`gradfree board`: the leaderboard in the browser, or as plain files."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DEFAULT_ARENA, Home
from harness.cli.output import console
from harness.store import ArenaPaths
from leaderboard.launch import streamlit_command

__all__ = ["board"]


def board(
    home: Home = DEFAULT_ARENA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8501,
    static: Annotated[
        Path | None, typer.Option("--static", help="Write the plain board into this folder instead.")
    ] = None,
    round_: Annotated[str | None, typer.Option("--round", help="With --static: which round.")] = None,
) -> None:
    """Serve the leaderboard of an arena; it reads the public store and drops uploads into the spool."""
    paths = ArenaPaths(home)
    public_db = paths.public_db
    if static is not None:
        from leaderboard.static_board import write_static_board

        for path in write_static_board(public_db, static, round_):
            console.print(str(path), soft_wrap=True, markup=False)
        return
    console.print(f"the leaderboard: http://{host}:{port}  (stop with Ctrl-C)")
    command = streamlit_command(public_db, host, port, paths.spool)
    # An environment without the arena's variables: the web process knows of the public store only.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADFREE_")}
    # This process becomes the server: a signal that ends it ends the server.
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is wanted)
