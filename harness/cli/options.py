"""Options that several commands share, and the stores of an arena."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from harness.config import SHARED_VARIABLE
from harness.store.paths import DEFAULT_HOME, HOME_VARIABLE, ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.store import SealedStore

__all__ = [
    "MAX_NUMBER",
    "Home",
    "Json",
    "Number",
    "Reason",
    "RoundName",
    "RoundOption",
    "Shared",
    "SubmissionPath",
    "Token",
    "Unsafe",
    "in_arena",
    "stores",
]


def _remember_shared(value: Path | None) -> Path | None:
    """Set the environment variable that gives the folder of "@shared"."""
    if value is not None:
        os.environ[SHARED_VARIABLE] = str(value.resolve())
    return value


Home = Annotated[
    Path, typer.Option("--home", envvar=HOME_VARIABLE, help="The arena folder: databases, artifacts, uploads.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Reason = Annotated[str, typer.Option("--reason", help="Text for the audit.")]
RoundName = Annotated[str, typer.Argument(help="A round of this arena; NAME@VERSION for an older version.")]
RoundOption = Annotated[
    str, typer.Option("--round", help="A packaged round's name, or the path of a round file (TOML).")
]
Shared = Annotated[
    Path | None,
    typer.Option(
        "--shared",
        envvar=SHARED_VARIABLE,
        callback=_remember_shared,
        help='The folder behind "@shared/..." in round files. Default: ../shared.',
    ),
]
MAX_NUMBER = 2**63 - 1
"""Largest number of a submission or a run: the largest integer of the database."""
Number = Annotated[int, typer.Argument(max=MAX_NUMBER, help="The submission's number.")]
SubmissionPath = Annotated[str, typer.Argument(help="A submission's folder or zip, or a baseline's name.")]
Token = Annotated[str | None, typer.Option("--token", envvar="GRADFREE_TOKEN", help="The team's token, if it has one.")]
Unsafe = Annotated[
    bool,
    typer.Option(
        "--unsafe-no-sandbox", help="Run without isolation: for your own or bundled code only; results are unofficial."
    ),
]


def in_arena(home: Path) -> str:
    """Return the `--home` option that a suggested command needs; empty where the default names the arena."""
    is_found = home == Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    return "" if is_found else f" --home {shlex.quote(str(home))}"


@contextmanager
def stores(home: Path, *, must_exist: bool = True) -> Iterator[tuple[ArenaPaths, SealedStore, Publisher]]:
    """Open both stores of an arena.

    Raises:
        UsageError: the folder holds no arena.
    """
    paths = ArenaPaths(home)
    with SealedStore.open(paths, must_exist=must_exist) as sealed, Publisher.open(paths, sealed) as publisher:
        yield paths, sealed, publisher


DEFAULT_ARENA = DEFAULT_HOME
