"""`gradfree score-predictions`: the real competition's upload format."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import Json, Shared
from harness.cli.output import console, print_json
from harness.config import load_round

__all__ = ["score_predictions_"]


def score_predictions_(
    archive: Annotated[
        Path, typer.Argument(help="A zip of <Task>/<seed>.csv files, header ',pred'.", exists=True)
    ],
    round_: Annotated[
        str, typer.Option("--round", help="A packaged round's name, or the path of a round file.")
    ],
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Score predictions in the real competition's upload format: unranked, calls not metered."""
    from harness.rounds.uploads import LABEL, score_predictions

    _ = shared
    report = score_predictions(archive, load_round(round_))
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "label": LABEL,
                "rank": None,
                "score": report.total,
                "tasks": dict(report.tasks),
                "seeds": {task: dict(seeds) for task, seeds in report.seeds.items()},
                "upload_label_order": {task: list(order) for task, order in report.label_order.items()},
            }
        )
        return
    console.print(f"{escape(archive.name)} on {report.round_name}: {report.total:.1f} ({LABEL}; not ranked)")
    for task, score in report.tasks.items():
        seeds = ", ".join(f"seed {seed}: {value:.1f}" for seed, value in report.seeds[task].items())
        meaning = ", ".join(f"{number} = {name}" for number, name in enumerate(report.label_order[task]))
        console.print(escape(f"  {task}: {score:.1f} ({seeds}); numbers read as {meaning}"))
