"""The participant's commands: new, check, try, submit, status."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from harness.cli.options import DEFAULT_ARENA, Home, Json, RoundOption, Shared, Unsafe, sandbox_mode, stores
from harness.cli.output import console, print_json
from harness.cli.progress import RunDisplay, run_line
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.records import Verdict
from harness.rounds import baseline_folder, packaged_baselines, stored_config, submit
from harness.session import Arena, Artifact, RunSpec, Submission, read_submission, run_attempt, solver_params
from harness.store import PublicStore
from harness.store.seeds import solver_seed

__all__ = ["check", "new", "status", "submit_", "try_"]

PathArgument = Annotated[str, typer.Argument(help="A submission's folder or zip, or a baseline's name.")]


def new(name: Annotated[str, typer.Argument(help="The folder to make; its last part names the solver.")]) -> None:
    """Make a folder with a working solver to start from."""
    target = Path(name)
    template = Path(__file__).resolve().parents[2] / "submissions" / "template"
    if not template.is_dir():
        raise UsageError("the template lies in the project's checkout (submissions/template); install from there")
    if target.exists():
        raise UsageError(f"{target} exists already; choose another name")
    shutil.copytree(template, target, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = target / "solver.toml"
    manifest.write_text(manifest.read_text().replace('"template"', f'"{target.name}"'))
    console.print(f"made {escape(str(target))}. Next:")
    console.print(f"  gradfree check {escape(name)}", f"  gradfree try {escape(name)} --round toy --task sst2", sep="\n")


def check(path: PathArgument, round_: RoundOption = "toy", as_json: Json = False) -> None:
    """Check a submission's files without running anything."""
    submission, _ = _read(path, load_round(round_))
    manifest = submission.manifest
    if as_json:
        print_json({"name": manifest.name, "digest": submission.digest, "files": sorted(submission.files)})
        return
    size = sum(map(len, submission.files.values()))
    console.print(
        f"{escape(manifest.name)}: OK. {len(submission.files)} files, {size} bytes, entry "
        f"{escape(manifest.entry)}, digest {submission.digest[:12]}"
    )


def try_(
    path: PathArgument,
    round_: RoundOption = "toy",
    task: Annotated[str | None, typer.Option("--task", help="A task of the round; default: all of them.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="A k-shot seed (may be repeated); default: the task's first.")
    ] = None,
    calls: Annotated[
        int | None, typer.Option("--calls", min=1, help="A smaller budget than the round's, for a quick look.")
    ] = None,
    shared: Shared = None,
    unsafe: Unsafe = False,
    show_log: Annotated[bool, typer.Option("--log", help="Print what the solver printed.")] = False,
    as_json: Json = False,
) -> None:
    """Run a solver as a round would: same meter, same sandbox, nothing stored."""
    _ = shared
    config = load_round(round_)
    submission, is_baseline = _read(path, config)
    if calls is not None:
        smaller = tuple(
            item.model_copy(update={"budget_calls": min(calls, item.budget_calls)}) for item in config.task
        )
        config = config.model_copy(update={"task": smaller})
    mode = sandbox_mode(unsafe=unsafe)
    arena = Arena(config)
    names = [task] if task else [item.name for item in config.task]
    artifacts: list[Artifact] = []
    for name in names:
        known = config.task_named(name)
        for kshot_seed in seed or (known.kshot_seeds[:1] if known else (0,)):
            spec = RunSpec(
                submission=submission,
                params=solver_params(config, submission, is_baseline=is_baseline),
                task=name,
                kshot_seed=kshot_seed,
                solver_seed=solver_seed(config.digest(), name, kshot_seed),
            )
            title = f"{submission.manifest.name} · {name} · seed {kshot_seed}"
            with (
                tempfile.TemporaryDirectory(prefix="gradfree-try-") as folder,
                RunDisplay(is_quiet=as_json) as display,
            ):
                artifact = run_attempt(
                    arena, spec, Path(folder), mode, lambda progress, title=title: display.on_progress(title, progress)
                )
            artifacts.append(artifact)
            if not as_json:
                console.print(escape(run_line(title, artifact)))
                if show_log and artifact.log:
                    console.print(escape(artifact.log.rstrip()))
                if not artifact.is_official:
                    console.print("  unofficial: ran without a sandbox")
    if as_json:
        print_json([_run_json(artifact) for artifact in artifacts])
    if any(artifact.verdict is not Verdict.OK for artifact in artifacts):
        raise typer.Exit(1)


def submit_(
    path: PathArgument,
    team: Annotated[str, typer.Option("--team", help="Who hands it in.")],
    round_: RoundOption = "toy",
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Hand a submission in to a round of an arena; a worker will run it."""
    with stores(home) as (paths, sealed, publisher):
        config = stored_config(sealed.get_round(round_))
        is_baseline = path in packaged_baselines()
        if is_baseline:
            raise UsageError(
                f"{path!r} is a reference solver; the organizer enters it with `gradfree round baselines {round_}`"
            )
        number = submit(sealed, publisher, paths, config, Path(path), team)
    if as_json:
        print_json({"submission": number})
    else:
        console.print(f"submission {number} is queued. Follow it with: gradfree status {number}")


def status(
    number: Annotated[int, typer.Argument(help="The submission's number.")],
    home: Home = DEFAULT_ARENA,
    as_json: Json = False,
) -> None:
    """Show how a submission is doing."""
    from harness.store import ArenaPaths  # noqa: PLC0415

    with PublicStore.open(ArenaPaths(home).public_db) as store:
        page = store.submission(number)
    entry = page.entry
    runs = [
        {
            "task": run.task,
            "kshot_seed": run.kshot_seed,
            "status": run.status.value,
            "verdict": None if run.verdict is None else run.verdict.value,
            "score": run.score,
            "calls": run.calls,
            "budget_calls": run.budget_calls,
            "message": run.message,
        }
        for run in page.runs
    ]
    if as_json:
        print_json({"submission": number, "name": entry.name, "status": entry.status.value, "runs": runs})
        return
    verdict = "" if entry.verdict is None else f", verdict {entry.verdict.value}"
    console.print(
        f"{escape(entry.name)} of {escape(entry.team)}: {entry.status.value}{verdict}, {entry.n_runs_done} of {entry.n_runs} runs"
    )
    for run in runs:
        score = "-" if run["score"] is None else f"{run['score']:.1f}"
        note = f"  {run['message']}" if run["message"] else ""
        console.print(
            escape(
                f"  {run['task']} seed {run['kshot_seed']}: {run['verdict'] or run['status']}, score {score}, "
                f"{run['calls']} of {run['budget_calls']} calls{note}"
            )
        )


def _read(path: str, config: RoundConfig) -> tuple[Submission, bool]:
    """Read a submission; the name of a packaged baseline stands for its folder."""
    is_baseline = path in packaged_baselines() and not Path(path).exists()
    folder = baseline_folder(path) if is_baseline else Path(path)
    return read_submission(folder, config.limits.submission_bytes), is_baseline


def _run_json(artifact: Artifact) -> dict[str, Any]:
    """Return what a participant may know of a run: never the private score or predictions."""
    return {
        "task": artifact.task,
        "kshot_seed": artifact.kshot_seed,
        "verdict": artifact.verdict.value,
        "score": None if artifact.scores is None else artifact.scores.public,
        "calls": artifact.usage.calls,
        "budget_calls": artifact.budget_calls,
        "is_flagged": artifact.is_flagged,
        "is_official": artifact.is_official,
        "message": artifact.message,
        "wall_s": artifact.wall_s,
        "engine_s": artifact.usage.engine_s,
        "log": artifact.log,
    }
