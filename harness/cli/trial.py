"""`gradfree try`: run a solver as a round would, storing nothing."""

import secrets
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from harness.cli.options import Json, RoundOption, Shared, SubmissionPath, Unsafe, sandbox_mode
from harness.cli.output import console, errors, print_json
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.records import Verdict
from harness.rounds.intake import read_submission_or_baseline
from harness.session.artifact import Artifact
from harness.store.sealed.seeds import solver_seed

__all__ = ["try_"]


def try_(
    path: SubmissionPath,
    round_: RoundOption = "toy",
    task: Annotated[
        str | None, typer.Option("--task", help="A task of the round; default: all of them.")
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", help="A k-shot seed (may be repeated); default: the task's first."),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option("--calls", min=1, help="A smaller budget than the round's, for a quick look."),
    ] = None,
    shared: Shared = None,
    unsafe: Unsafe = False,
    show_log: Annotated[bool, typer.Option("--log", help="Print what the solver printed.")] = False,
    as_json: Json = False,
) -> None:
    """Run a solver as a round would: same meter, same sandbox, nothing stored."""
    from harness.cli.progress import RunDisplay, run_line
    from harness.session.attempt import RunSpec, run_attempt, solver_params
    from harness.session.loaded_round import LoadedRound

    _ = shared
    config = load_round(round_)
    submission, is_baseline = read_submission_or_baseline(path, config)
    if calls is not None:
        config = _with_calls(config, calls, task)
    mode = sandbox_mode(unsafe=unsafe)
    arena = LoadedRound(config)
    artifacts: list[Artifact] = []
    for name, kshot_seeds in _chosen(config, task, seed):
        for kshot_seed in kshot_seeds:
            spec = RunSpec(
                submission=submission,
                params=solver_params(config, submission, is_baseline=is_baseline),
                task=name,
                kshot_seed=kshot_seed,
                # A basis of its own each time: what a trial shows of one is worth nothing in a round.
                rotation_seed=secrets.randbits(63) if config.round.rotation == "secret" else None,
                solver_seed=solver_seed(config.digest(), name, kshot_seed),
            )
            title = f"{submission.manifest.name} · {name} · seed {kshot_seed}"
            with (
                tempfile.TemporaryDirectory(prefix="gradfree-try-") as folder,
                RunDisplay(is_quiet=as_json) as display,
            ):
                artifact = run_attempt(
                    arena,
                    spec,
                    Path(folder),
                    mode,
                    partial(display.on_progress, title),
                )
            artifacts.append(artifact)
            if not as_json:
                console.print(escape(run_line(title, artifact)))
                if show_log and artifact.log:
                    console.print(escape(artifact.log.rstrip()))
                if show_log and artifact.log_truncated:
                    console.print("[dim](the log was cut here: more was printed than the round keeps)[/]")
    if as_json:
        print_json([_run_json(artifact) for artifact in artifacts])
    if any(artifact.verdict is not Verdict.OK for artifact in artifacts):
        raise typer.Exit(1)


def _chosen(
    config: RoundConfig, task: str | None, seeds: list[int] | None
) -> list[tuple[str, tuple[int, ...]]]:
    """Return the tasks to be tried, each with its seeds: looked up before anything runs.

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
            raise UsageError(
                f"task {item.name!r} has no k-shot seed {unknown[0]}; it has {sorted(item.kshot_seeds)}"
            )
    return [(item.name, tuple(seeds or item.kshot_seeds[:1])) for item in found]


def _with_calls(config: RoundConfig, calls: int, task: str | None) -> RoundConfig:
    """Return the round with smaller budgets; a larger one than the round's is said to have no effect."""
    for item in config.task:
        if calls > item.budget_calls and task in {None, item.name}:
            errors.print(
                escape(
                    f"--calls {calls} is above the round's budget of {item.budget_calls} for {item.name}; "
                    f"the run gets {item.budget_calls}"
                )
            )
    smaller = tuple(
        item.model_copy(update={"budget_calls": min(calls, item.budget_calls)}) for item in config.task
    )
    return config.model_copy(update={"task": smaller})


def _run_json(artifact: Artifact) -> dict[str, Any]:
    """Return what a participant may know of a run: never the private score or predictions."""
    return {
        "task": artifact.task,
        "kshot_seed": artifact.kshot_seed,
        "verdict": artifact.verdict.value,
        "score": None if artifact.scores is None else artifact.scores.public,
        "calls": artifact.usage.calls,
        "budget_calls": artifact.budget_calls,
        "is_checkpoint": artifact.is_checkpoint,
        "is_official": artifact.is_official,
        "message": artifact.message,
        "wall_s": artifact.wall_s,
        "engine_s": artifact.usage.engine_s,
        "log": artifact.log,
        "log_truncated": artifact.log_truncated,
    }
