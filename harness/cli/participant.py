"""`gradfree new|check|submit|status`: the participant's light commands."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness.cli.options import (
    DEFAULT_ARENA,
    Home,
    Json,
    Number,
    RoundOption,
    SubmissionPath,
    Token,
    in_arena,
    stores,
)
from harness.cli.output import console, print_json, why_no_scores
from harness.cli.submissions import own_submission
from harness.config import load_round
from harness.errors import UsageError
from harness.records import Phase
from harness.rounds.intake import is_baseline_name, read_submission_or_baseline, submit
from harness.rounds.own_scores import read_own_scores
from harness.session.code_check import check_code
from harness.session.submission import NAME_RULE, is_solver_name, read_submission
from harness.store.paths import ArenaPaths
from harness.store.public import STALE, UNOFFICIAL, BoardRound, PublicStore
from harness.store.sealed.rounds import find_round
from harness.store.sealed.teams import find_team, quota_of

__all__ = ["check", "new", "status", "submit_"]


def new(
    name: Annotated[str, typer.Argument(help="The folder to create; its last part names the solver.")],
) -> None:
    """Create a folder with a working solver to start from."""
    target = Path(name)
    template = Path(__file__).resolve().parents[2] / "submissions" / "template"
    if not template.is_dir():
        raise UsageError(
            "the template lies in the project's checkout (submissions/template); install from there"
        )
    if not is_solver_name(target.name):
        raise UsageError(f"{name!r}: the folder's name names the solver: {NAME_RULE}")
    if target.exists():
        raise UsageError(f"{target} exists already; choose another name")
    try:
        shutil.copytree(template, target, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = target / "solver.toml"
        manifest.write_text(manifest.read_text().replace('"template"', f'"{target.name}"'))
    except OSError as error:
        raise UsageError(f"{target} cannot be made: {error.strerror or error}") from error
    console.print(f"created {escape(str(target))}. Next:")
    console.print(
        f"  gradfree check {escape(shlex.quote(name))}",
        f"  gradfree try {escape(shlex.quote(name))} --round toy --task sst2",
        sep="\n",
    )


def check(path: SubmissionPath, round_: RoundOption = "toy", as_json: Json = False) -> None:
    """Check a submission's files without running anything."""
    submission, _ = read_submission_or_baseline(path, load_round(round_))
    check_code(submission)
    manifest = submission.manifest
    if as_json:
        print_json({"name": manifest.name, "digest": submission.digest, "files": sorted(submission.files)})
        return
    size = sum(map(len, submission.files.values()))
    console.print(
        f"{escape(manifest.name)}: OK. {len(submission.files)} files, {size} bytes, entry "
        f"{escape(manifest.entry)}, digest {submission.digest[:12]}"
    )


def submit_(
    path: Annotated[str, typer.Argument(help="A submission's folder or zip.")],
    team: Annotated[str, typer.Option("--team", help="The team that submits.")],
    round_: Annotated[
        str, typer.Option("--round", help="A round of the arena; NAME@VERSION for an older version.")
    ] = "toy",
    token: Token = None,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Submit to a round of an arena; a worker will run it."""
    with stores(home) as (paths, sealed, publisher):
        with sealed.read() as tx:
            config = find_round(tx, round_).config
        if is_baseline_name(path):
            raise UsageError(
                f"{path!r} is a baseline; the organizer enters it with `gradfree round baselines {round_}`"
            )
        check_code(read_submission(Path(path), config.limits.submission_bytes))
        number = submit(sealed, publisher, paths, config, Path(path), team, token=token)
        with sealed.read() as tx:
            quota = quota_of(tx, find_round(tx, round_), find_team(tx, team))
    if as_json:
        print_json({"submission": number})
    else:
        followed = escape(f"gradfree status {number}{in_arena(home)}")
        console.print(f"submission {number} is queued. Follow it with: {followed}", soft_wrap=True)
        if quota.left is not None:
            console.print(f"quota: {quota}")


def status(
    number: Number,
    is_own: Annotated[
        bool,
        typer.Option(
            "--own", help="With your scores, where the round shows a team its own before the board."
        ),
    ] = False,
    token: Token = None,
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Show how a submission is doing."""
    with PublicStore.open(ArenaPaths(home).public_db) as store:
        page = store.submission(number)
        at_work = {(item.task, item.kshot_seed): item.calls for item in store.progress(number)}
    entry = page.entry
    own: Mapping[int, float | None] = {}
    if is_own:
        with stores(home) as (_, sealed, _publisher):
            own_submission(sealed, number, token)
            own = read_own_scores(sealed, number)
    runs = [
        {
            "run": run.run_id,
            "task": run.task,
            "kshot_seed": run.kshot_seed,
            "status": run.status.value,
            "verdict": None if run.verdict is None else run.verdict.value,
            "score": own.get(run.run_id, run.score),
            "calls": at_work.get((run.task, run.kshot_seed), run.calls),
            "budget_calls": run.budget_calls,
            "message": run.message,
            "is_held": run.is_held,
            "hold_reason": run.hold_reason,
        }
        for run in page.runs
    ]
    if as_json:
        print_json(
            {
                "submission": number,
                "solver": entry.solver,
                "status": entry.status.value,
                "verdict": None if entry.verdict is None else entry.verdict.value,
                "is_official": entry.is_official,
                "is_stale": entry.is_stale,
                "runs": runs,
            }
        )
        return
    verdict = "" if entry.verdict is None else f", verdict {entry.verdict.value}"
    verdict += "" if entry.is_official else f" ({UNOFFICIAL})"
    verdict += f" ({STALE})" if entry.is_stale else ""
    console.print(
        escape(
            f"{entry.solver} of {entry.team}: {entry.status.value}{verdict}, {entry.n_runs_done} of {entry.n_runs} runs"
        )
    )
    for run in runs:
        score = "-" if run["score"] is None else f"{run['score']:.1f}"
        reason = f"on hold: {run['hold_reason']}" if run["is_held"] else run["message"]
        note = f"  {reason}" if reason else ""
        console.print(
            escape(
                f"  run {run['run']}, {run['task']} seed {run['kshot_seed']}: {run['verdict'] or run['status']}, "
                f"score {score}, {run['calls']} of {run['budget_calls']} calls{note}"
            )
        )
    if not is_own and (hidden := why_no_scores(page.round, None if entry.is_baseline else number)):
        console.print(hidden)
    console.print(escape(_where_logs_are(number, page.round, home)), soft_wrap=True)


def _where_logs_are(number: int, board_round: BoardRound, home: Path) -> str:
    shown_from = Phase(board_round.rules["visibility"]["logs"])
    if board_round.phase.has_reached(shown_from):
        return f"what your solver printed, for your team only: gradfree logs {number}{in_arena(home)}"
    return f"what your solver printed is shown to your team once the round is {shown_from}"
