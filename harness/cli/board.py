"""`gradfree board`: the leaderboard in the browser."""

import os
import sys
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
) -> None:
    """Serve the leaderboard of an arena; it reads the public store alone."""
    console.print(f"the leaderboard: http://{host}:{port}  (stop with Ctrl-C)")
    command = streamlit_command(ArenaPaths(home).public_db, host, port)
    # An environment without the arena's variables: the web process knows of the public store only.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADFREE_")}
    # This process becomes the server: a signal that ends it ends the server.
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is wanted)
