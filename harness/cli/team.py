"""`gradfree team ...`: teams, their tokens and grants."""

from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, Reason, stores
from harness.cli.output import console, errors, moment, print_json
from harness.store.paths import ArenaPaths
from harness.store.sealed import teams
from harness.store.sealed.rounds import find_round

__all__ = ["team"]

team = typer.Typer(help="Teams, their tokens and grants.", no_args_is_help=True)

TeamName = Annotated[str, typer.Argument(help="The team's name.")]


@team.command("add")
def add(name: TeamName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Add a team and print its token, which is shown only once."""
    is_new = not ArenaPaths(home).sealed_db.exists()
    with stores(home, must_exist=False) as (_, sealed, _):
        if is_new:
            errors.print(escape(f"there was no arena at {home}: created a new one"))
        with sealed.write() as tx:
            token = teams.add_team(tx, name)
    _show_token(name, token, as_json=as_json)


@team.command("rotate")
def rotate(name: TeamName, home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """Print a new token of a team; the old one becomes invalid."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        token = teams.rotate_token(tx, teams.find_team(tx, name))
    _show_token(name, token, as_json=as_json)


@team.command("list")
def list_(home: Home = DEFAULT_ARENA, as_json: Json = False) -> None:
    """List the teams of an arena."""
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        found = [item for item in teams.list_teams(tx) if not item.is_baseline_owner]
    if as_json:
        print_json(
            [
                {
                    "name": item.name,
                    "has_token": item.token_sha256 is not None,
                    "token_at": item.token_at,
                    "created_at": item.created_at,
                }
                for item in found
            ]
        )
        return
    if not found:
        console.print("none yet: a team is added with its first submission, or by gradfree team add NAME")
    for item in found:
        token = "no token" if item.token_at is None else f"token of {moment(item.token_at)}"
        console.print(escape(f"{item.name}: {token}"))


@team.command("grant")
def grant(
    name: TeamName,
    n_submissions: Annotated[
        int, typer.Argument(min=1, max=1_000_000, help="Additional submissions, today and in all.")
    ],
    round_: Annotated[str, typer.Option("--round", help="A round of this arena.")],
    reason: Reason = "",
    home: Home = DEFAULT_ARENA,
) -> None:
    """Grant a team submissions beyond the quota of a round."""
    with stores(home) as (_, sealed, _), sealed.write() as tx:
        quota = teams.add_grant(tx, find_round(tx, round_), teams.find_team(tx, name), n_submissions, reason)
    console.print(escape(f"{name} in {round_}: {quota}"))
    if quota.left is None:
        console.print(escape(f"round {round_} has no quota, so this changes nothing"))


def _show_token(name: str, token: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"team": name, "token": token})
        return
    console.print(escape(f"token of {name}, shown this once: {token}"))
    console.print("pass it with --token, or set GRADFREE_TOKEN")
