"""`gradfree round export|verify` and `gradfree backup|restore`: archives of a round and of an arena."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, RoundName, stores
from harness.cli.output import console, picked, print_json
from harness.rounds import backup as archive_of_arena
from harness.store.paths import ArenaPaths

__all__ = ["backup", "export", "restore", "verify"]


def export(
    name: RoundName,
    target: Annotated[Path, typer.Option("--to", help="The archive to write.")] = Path("round.zip"),
    home: Home = DEFAULT_ARENA,
) -> None:
    """Write an archive from which the ranking can be recomputed without the platform."""
    from harness.rounds.export import export_round

    with stores(home) as (paths, sealed, publisher):
        publisher.publish()
        digest = export_round(sealed, paths, name, target)
    console.print(escape(f"{target}: SHA-256 {digest}"))


def verify(archive: Annotated[Path, typer.Argument(help="An exported round.")], as_json: Json = False) -> None:
    """Recompute an exported ranking, compare it, and report every changed file."""
    from harness.rounds.verify import verify_export

    report = verify_export(archive)
    if as_json:
        print_json(
            {
                "round": report.round_name,
                "is_final": report.is_final,
                "ok": not report.problems,
                **picked(report, "n_files", "n_scores"),
                "places": [{"rank": rank, "submission": number} for rank, number in report.places],
                "problems": report.problems,
            }
        )
    else:
        for problem in report.problems:
            console.print(escape(problem))
        verdict = "as exported" if not report.problems else f"NOT as exported: {len(report.problems)} problem(s)"
        console.print(
            f"{report.n_files} files compared, {report.n_scores} scores recomputed, "
            f"{len(report.places)} places: {verdict}"
        )
    if report.problems:
        raise typer.Exit(1)


def backup(
    target: Annotated[Path, typer.Argument(help="The archive to write (.tar.gz).")], home: Home = DEFAULT_ARENA
) -> None:
    """Back up an arena while it runs. The archive contains private scores: keep it secret."""
    archive_of_arena.backup(ArenaPaths(home), target)
    console.print(escape(f"{target}: {target.stat().st_size} bytes; it contains private scores"))


def restore(archive: Annotated[Path, typer.Argument(help="A backup.")], home: Home = DEFAULT_ARENA) -> None:
    """Create an arena from a backup, in a new folder."""
    archive_of_arena.restore(archive, ArenaPaths(home))
    console.print(escape(f"restored into {home}; runs that were running at the time of the backup are queued again"))
