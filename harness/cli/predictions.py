"""`gradfree score-predictions`: prediction uploads in the competition's format."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, Shared, stores
from harness.cli.output import console, print_json
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.store.paths import ArenaPaths
from harness.store.public import UPLOAD_LABEL
from harness.store.sealed.rounds import find_round

__all__ = ["score_predictions_"]


def score_predictions_(
    archive: Annotated[
        Path, typer.Argument(help="A zip of <Task>/<seed>.csv files, header ',pred'.", exists=True)
    ],
    round_: Annotated[
        str,
        typer.Option(
            "--round", help="A packaged round's name, the path of a round file, or a round of the arena."
        ),
    ],
    publish: Annotated[
        str | None,
        typer.Option("--publish", help="Show the scores under this name on the board of the arena."),
    ] = None,
    team: Annotated[
        str | None, typer.Option("--team", help="With --publish: in whose quota they count.")
    ] = None,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Score a prediction upload in the competition's format, as the organizer: unranked, calls not metered."""
    from harness.rounds.uploads import publish_predictions, score_predictions

    _ = shared
    config = _known_round(round_, home)
    if (publish is None) != (team is None):
        raise UsageError("--publish and --team go together: published scores count in a team's quota")
    if publish is None or team is None:
        report = score_predictions(archive, config)
    else:
        with stores(home) as (_, sealed, publisher):
            report = publish_predictions(sealed, publisher, config, archive, publish, team)
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "label": UPLOAD_LABEL,
                "published_as": publish,
                "rank": None,
                "score": report.total,
                "tasks": dict(report.tasks),
                "seeds": {task: dict(seeds) for task, seeds in report.seeds.items()},
                "upload_label_order": {task: list(order) for task, order in report.label_order.items()},
            }
        )
        return
    console.print(
        f"{escape(archive.name)} on {report.round_name}: {report.total:.1f} ({UPLOAD_LABEL}; not ranked)"
    )
    for task, score in report.tasks.items():
        seeds = ", ".join(f"seed {seed}: {value:.1f}" for seed, value in report.seeds[task].items())
        meaning = ", ".join(f"{number} = {name}" for number, name in enumerate(report.label_order[task]))
        console.print(escape(f"  {task}: {score:.1f} ({seeds}); numbers read as {meaning}"))
    if publish is not None:
        console.print(escape(f"shown on the board of {report.round_name} as {publish}"))


def _known_round(name: str, home: Path) -> RoundConfig:
    """Return a packaged round or a round file; where there is none of that name, the arena's round.

    Raises:
        UsageError: there is none at all, or the file is not valid.
    """
    try:
        return load_round(name)
    except UsageError:
        if Path(name).exists() or not ArenaPaths(home).sealed_db.exists():
            raise
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        return find_round(tx, name).config
