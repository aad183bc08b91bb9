"""`gradfree new|check|try`: what a participant does before submitting. Stores nothing."""

import secrets
import shlex
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from harness.cli.options import Json, RoundOption, Shared, SubmissionPath, Unsafe
from harness.cli.output import console, errors, picked, print_json
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.records import Verdict
from harness.rounds.intake import read_submission_or_baseline
from harness.sandbox import require_mode
from harness.session.artifact import Artifact
from harness.session.code_check import check_code
from harness.session.submission import NAME_RULE, is_solver_name
from harness.store.sealed.seeds import solver_seed

__all__ = ["check", "new", "try_"]


def new(
    name: Annotated[str, typer.Argument(help="The folder to create; its last part becomes the name of the solver.")],
) -> None:
    """Create a folder with a working solver as a starting point."""
    target = Path(name)
    template = Path(__file__).resolve().parents[2] / "submissions" / "template"
    if not template.is_dir():
        raise UsageError("the template is part of the checkout (submissions/template); install the project from there")
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


def try_(
    path: SubmissionPath,
    round_: RoundOption = "toy",
    task: Annotated[str | None, typer.Option("--task", help="A task of the round; default: all of them.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="A k-shot seed (may be repeated); default: the task's first.")
    ] = None,
    calls: Annotated[
        int | None, typer.Option("--calls", min=1, help="A smaller budget than that of the round.")
    ] = None,
    shared: Shared = None,
    unsafe: Unsafe = False,
    show_log: Annotated[bool, typer.Option("--log", help="Print what the solver printed.")] = False,
    as_json: Json = False,
) -> None:
    """Run a solver under the rules of a round: same meter, same sandbox; nothing is stored."""
    from harness.cli.progress import RunDisplay, run_line
    from harness.session.attempt import RunSpec, run_attempt, solver_params
    from harness.session.loaded_round import LoadedRound

    _ = shared
    config = load_round(round_)
    submission, is_baseline = read_submission_or_baseline(path, config)
    if calls is not None:
        config = _with_calls(config, calls, task)
    mode = require_mode(unsafe=unsafe)
    loaded_round = LoadedRound(config)
    artifacts: list[Artifact] = []
    for name, kshot_seeds in _chosen(config, task, seed):
        for kshot_seed in kshot_seeds:
            spec = RunSpec(
                submission=submission,
                params=solver_params(config, submission, is_baseline=is_baseline),
                task=name,
                kshot_seed=kshot_seed,
                # A new basis per trial: knowing it is of no use in a round.
                rotation_seed=secrets.randbits(63) if config.round.rotation == "secret" else None,
                solver_seed=solver_seed(config.digest(), name, kshot_seed),
            )
            title = f"{submission.manifest.name} · {name} · seed {kshot_seed}"
            with tempfile.TemporaryDirectory(prefix="gradfree-try-") as folder, RunDisplay(is_quiet=as_json) as display:
                observer = partial(display.on_progress, title)
                artifact = run_attempt(loaded_round, spec, Path(folder), mode, observer)
            artifacts.append(artifact)
            if not as_json:
                console.print(escape(run_line(title, artifact)))
                if show_log and artifact.log:
                    console.print(escape(artifact.log.rstrip()))
                if show_log and artifact.log_truncated:
                    console.print("[dim](log cut here: the rest exceeds the limit of the round)[/]")
    if as_json:
        print_json([_run_json(artifact) for artifact in artifacts])
    if any(artifact.verdict is not Verdict.OK for artifact in artifacts):
        raise typer.Exit(1)


def _chosen(config: RoundConfig, task: str | None, seeds: list[int] | None) -> list[tuple[str, tuple[int, ...]]]:
    """Return the chosen tasks, each with its k-shot seeds.

    Raises:
        UsageError: the round has no such task or seed.
    """
    found = [item for item in config.task if task in {None, item.name}]
    if not found:
        known = ", ".join(item.name for item in config.task)
        raise UsageError(f"round {config.name!r} has no task {task!r}; it has {known}")
    for item in found:
        unknown = sorted(set(seeds or ()) - set(item.kshot_seeds))
        if unknown:
            raise UsageError(f"task {item.name!r} has no k-shot seed {unknown[0]}; it has {sorted(item.kshot_seeds)}")
    return [(item.name, tuple(seeds or item.kshot_seeds[:1])) for item in found]


def _with_calls(config: RoundConfig, calls: int, task: str | None) -> RoundConfig:
    """Return the round with smaller budgets; print a note where `calls` exceeds the budget of the round."""
    for item in config.task:
        if calls > item.budget_calls and task in {None, item.name}:
            errors.print(
                escape(
                    f"--calls {calls} is above the round's budget of {item.budget_calls} for {item.name}; "
                    f"the run gets {item.budget_calls}"
                )
            )
    smaller = tuple(item.model_copy(update={"budget_calls": min(calls, item.budget_calls)}) for item in config.task)
    return config.model_copy(update={"task": smaller})


def _run_json(artifact: Artifact) -> dict[str, Any]:
    """Return the public part of a run: neither the private score nor predictions."""
    return {
        **picked(artifact, "task", "kshot_seed", "verdict"),
        "score": None if artifact.scores is None else artifact.scores.public,
        "calls": artifact.usage.calls,
        **picked(artifact, "budget_calls", "is_checkpoint", "is_official", "message", "wall_s"),
        "engine_s": artifact.usage.engine_s,
        **picked(artifact, "log", "log_truncated"),
    }
