"""`gradfree round export|verify`: a round as one archive that stands without the platform."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, stores
from harness.cli.output import console, print_json

__all__ = ["export", "verify"]


def export(
    name: Annotated[str, typer.Argument(help="A round of this arena.")],
    target: Annotated[Path, typer.Option("--to", help="The archive to write.")] = Path("round.zip"),
    home: Home = DEFAULT_ARENA,
) -> None:
    """Write one archive with everything needed to compute the ranking again without the platform."""
    from harness.rounds.export import export_round

    with stores(home) as (paths, sealed, publisher):
        publisher.publish()
        digest = export_round(sealed, paths, name, target)
    console.print(escape(f"{target}: SHA-256 {digest}"))


def verify(
    archive: Annotated[Path, typer.Argument(help="An exported round.")], as_json: Json = False
) -> None:
    """Compute an exported ranking again and compare; a changed byte is found and named."""
    from harness.rounds.verify import verify_export

    report = verify_export(archive)
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "is_final": report.is_final,
                "ok": not report.problems,
                "n_files": report.n_files,
                "n_scores": report.n_scores,
                "places": [{"rank": rank, "submission": number} for rank, number in report.places],
                "problems": list(report.problems),
            }
        )
    else:
        for problem in report.problems:
            console.print(escape(problem))
        verdict = (
            "as exported" if not report.problems else f"NOT as exported: {len(report.problems)} problem(s)"
        )
        console.print(
            f"{report.n_files} files compared, {report.n_scores} scores computed again, "
            f"{len(report.places)} places: {verdict}"
        )
    if report.problems:
        raise typer.Exit(1)
