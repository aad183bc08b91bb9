"""`gradfree board`: the leaderboard in the browser or as static files, and the organizer's view."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home
from harness.cli.output import console, errors
from harness.errors import UsageError
from harness.store.paths import ArenaPaths
from leaderboard.launch import streamlit_command

__all__ = ["board"]

_PORT, _ORGANIZER_PORT = 8501, 8502
_LOCAL = ("127.0.0.1", "localhost")


def board(
    home: Home = DEFAULT_ARENA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port; default 8501, organizer 8502.")] = None,
    static: Annotated[
        Path | None, typer.Option("--static", help="Write a static board into this folder instead.")
    ] = None,
    round_: Annotated[str | None, typer.Option("--round", help="With --static: the round.")] = None,
    is_organizer: Annotated[
        bool,
        typer.Option("--organizer", help="Serve private scores, held runs and the audit instead; asks for a token."),
    ] = False,
) -> None:
    """Serve the leaderboard of an arena; reads the public store and writes uploads to the spool."""
    paths = ArenaPaths(home)
    public_db = paths.public_db
    if static is None and round_ is not None:
        raise UsageError(
            f"--round {round_}: it chooses what --static writes; a served board shows every round, this one at "
            f"/?round={round_}"
        )
    if static is not None and is_organizer:
        raise UsageError("--organizer with --static: private scores are never written to files; omit one of the two")
    if static is not None:
        from leaderboard.static_board import write_static_board

        for path in write_static_board(public_db, static, round_):
            console.print(str(path), soft_wrap=True, markup=False)
        return
    if is_organizer:
        _serve_organizer(paths, host, port or _ORGANIZER_PORT)
        return
    if not public_db.exists():
        errors.print(
            escape(f"no arena at {home}: the board stays empty until a round is created there, or name another --home")
        )
    port = port or _PORT
    console.print(f"the leaderboard: http://{host}:{port}  (stop with Ctrl-C)")
    command = streamlit_command(public_db, host, port, paths.spool)
    # Without the environment variables of the arena, the web process gets no path but that of the public store.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADFREE_")}
    # Replace this process by the server, so that signals reach the server.
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is wanted)


def _serve_organizer(paths: ArenaPaths, host: str, port: int) -> None:
    if host not in _LOCAL:
        raise UsageError(
            f"--host {host}: the organizer's view listens on this machine only; reach it from another one "
            f"through a tunnel: ssh -L {port}:127.0.0.1:{port} <this machine>"
        )
    import uvicorn

    from harness.rounds.organizer_view import OrganizerStore
    from harness.store.sealed.store import SealedStore
    from leaderboard.organizer.access import USER, organizer_token
    from leaderboard.organizer.app import organizer_app

    if not paths.sealed_db.is_file():
        raise UsageError(f"no arena at {paths.home}: sealed.db is missing; create a round first")
    token = organizer_token(paths.organizer_token)
    view = OrganizerStore(SealedStore.open_to_read(paths.sealed_db))
    app = organizer_app(view, token, [f"{each}:{port}" for each in _LOCAL])
    console.print(f"the organizer's view: http://{host}:{port}  (stop with Ctrl-C)")
    console.print(f"name: {USER}, password: content of {paths.organizer_token}", soft_wrap=True, markup=False)
    sys.stdout.flush()
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning", server_header=False)
