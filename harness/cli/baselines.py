"""`gradfree baselines ...`: run and compare the baselines and the gradient references."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from harness.cli.options import DEFAULT_ARENA, Home, Json, RoundOption, Shared, Unsafe, stores
from harness.cli.output import console, print_json
from harness.cli.worker import refuse_held
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.records import with_version
from harness.rounds.intake import baseline_folder, enter_baselines, packaged_baselines, read_baseline
from harness.rounds.lifecycle import check_round, create_round, same_round
from harness.sandbox import require_mode
from harness.store.paths import ArenaPaths
from harness.store.sealed.rounds import list_rounds

if TYPE_CHECKING:  # loads scikit-learn and torch
    from harness.references import KeptRuns, ReferenceMethod, ReferenceRun
    from harness.rounds.comparison import Comparison
    from harness.session.loaded_round import LoadedRound

__all__ = ["baselines"]

baselines = typer.Typer(help="Run the baselines and compare them.", no_args_is_help=True)

Tasks = Annotated[list[str] | None, typer.Option("--task", help="A task (may be repeated); default: all of the round.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="Number of k-shot seeds per task; default: all.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")]


@baselines.command("list")
def list_(round_: RoundOption = "toy", as_json: Json = False) -> None:
    """List the baselines with their parameters in a round, and the gradient references."""
    from harness.references import GRADIENT_LABEL, load_reference, packaged_references
    from harness.session.attempt import solver_params

    config = load_round(round_)
    found = []
    for name in packaged_baselines():
        submission = read_baseline(name, config)
        params = solver_params(config, submission, is_baseline=True)
        found.append((name, submission.manifest.description, "solver", params))
    for name in packaged_references():
        method = load_reference(name)
        found.append((name, method.description, GRADIENT_LABEL, method.params))
    if as_json:
        print_json([dict(zip(("name", "description", "kind", "params"), item, strict=True)) for item in found])
        return
    for name, description, kind, params in found:
        note = "" if kind == "solver" else f" ({kind})"
        console.print(escape(f"{name}: {description}{note}"), soft_wrap=True)
        if params:
            listed = ", ".join(f"{key} = {value}" for key, value in params.items())
            console.print(f"  {escape(listed)}", highlight=False, soft_wrap=True)


@baselines.command("run")
def run(
    round_: RoundOption = "toy",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A baseline (may be repeated); default: all.")
    ] = None,
    task: Tasks = None,
    seeds: Seeds = None,
    calls: Annotated[int | None, typer.Option("--calls", min=1, help="A smaller budget per run.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Enter baselines again that are already in the round.")
    ] = False,
    markdown: Markdown = False,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """Enter the baselines into a round, run them like any submission, and print method x task.

    Finished runs are kept: a second call runs only new or changed baselines. Fewer tasks, seeds or calls
    make other rules and need a separate arena (--home).
    """
    from harness.cli.progress import RunDisplay
    from harness.rounds.comparison import compare
    from harness.worker.worker import Worker

    _ = shared
    whole = load_round(round_)
    config = _part_of(whole, task, seeds, calls)
    for name in only or ():
        baseline_folder(name)  # raises before an arena is created
    mode = require_mode(unsafe=unsafe)
    full_name = with_version(config.name, config.round.version)
    known = _digest_in_arena(home, config)
    if known is None:
        check_round(config)
    elif config != whole and known != config.digest():
        raise UsageError(
            f"--task, --seeds and --calls make other rules than those that {full_name} has in {home}; "
            "use a separate arena: --home FOLDER"
        )
    with stores(home, must_exist=False) as (paths, sealed, publisher):
        create_round(sealed, publisher, config)
        enter_baselines(sealed, publisher, paths, config, only or (), again=again)
        with RunDisplay(is_quiet=as_json or markdown) as display:
            Worker(sealed, publisher, paths, mode, display.on_event).run_until_idle(full_name)
        comparison = compare(sealed, paths, config)
        _print(comparison, as_json=as_json, is_markdown=markdown)
        refuse_held(sealed, home, full_name)
    if any(row.failures for row in comparison.rows):
        raise typer.Exit(1)


@baselines.command("references")
def references(
    round_: RoundOption = "toy",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A gradient reference (may be repeated); default: all.")
    ] = None,
    task: Tasks = None,
    seeds: Seeds = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps; default: those of each reference.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Show the scores unranked on the board of the arena.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="A folder for finished runs; a second call runs only those it lacks.")
    ] = None,
    markdown: Markdown = False,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Run the gradient references on the same tasks, data and scoring: outside the metered track, unranked."""
    from harness.references import KeptRuns, load_reference, packaged_references, publish_reference
    from harness.rounds.comparison import Comparison, MethodRow
    from harness.session.loaded_round import LoadedRound

    _ = shared
    whole = load_round(round_)
    config = _part_of(whole, task, seeds, None)
    methods = [load_reference(name) for name in only or packaged_references()]
    if publish:
        if config != whole:
            raise UsageError("--publish needs all tasks and seeds of the round; omit --task and --seeds")
        with stores(home) as (_paths, sealed, _publisher), sealed.read() as tx:  # fail before hours of training
            same_round(tx, config)
    loaded_round, kept, rows = LoadedRound(config), KeptRuns(keep) if keep else None, []
    for packaged in methods:
        method = packaged.trained_for(steps) if steps else packaged
        runs = []
        for run_, is_from_before in _reference_runs(loaded_round, method, kept):
            runs.append(run_)
            if not (as_json or markdown):
                took = "kept from before" if is_from_before else f"{run_.wall_s:.1f} s"
                line = f"{method.name} · {run_.task} · seed {run_.kshot_seed}: score {run_.score:.1f}, {took}"
                console.print(line, highlight=False)
        scores = {item.name: [run_.score for run_ in runs if run_.task == item.name] for item in config.task}
        wall_s = fmean(run_.wall_s for run_ in runs)
        rows.append(MethodRow(method.name, scores, calls=None, engine_s=None, wall_s=wall_s))
        if publish:
            label = f"{method.name}, {steps} steps" if steps else method.name
            with stores(home) as (_paths, sealed, publisher):
                publish_reference(sealed, publisher, with_version(config.name, config.round.version), runs, label)
    _print(Comparison((item.name for item in config.task), rows), as_json=as_json, is_markdown=markdown)


def _reference_runs(
    loaded_round: "LoadedRound", method: "ReferenceMethod", kept: "KeptRuns | None"
) -> Iterator[tuple["ReferenceRun", bool]]:
    """Yield the runs of a reference on every task and seed, and whether each was kept from before."""
    from harness.references import run_reference

    for task in loaded_round.config.task:
        for kshot_seed in task.kshot_seeds:
            found = kept.find(loaded_round, method, task.name, kshot_seed) if kept else None
            run_ = found or run_reference(loaded_round, method, task.name, kshot_seed)
            if kept and found is None:
                kept.keep(loaded_round, method, run_)
            yield run_, found is not None


def _print(comparison: "Comparison", *, as_json: bool, is_markdown: bool) -> None:
    """Print a comparison as JSON, as Markdown or as a table."""
    if as_json:
        print_json(comparison.as_json())
    elif is_markdown:
        print(comparison.markdown())
    else:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in ("method", *comparison.tasks, "mean [95 %]", "calls", "seconds"):
            table.add_column(column, justify="left" if column == "method" else "right")
        for row in comparison.rows:
            table.add_row(*map(escape, comparison.cells(row)))
        console.print(table)


def _digest_in_arena(home: Path, config: RoundConfig) -> str | None:
    """Return the digest of the stored round of that name and version; None without the round or the arena."""
    if not ArenaPaths(home).sealed_db.exists():
        return None
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        known = {(item.config.name, item.config.version): item.digest for item in list_rounds(tx)}
    return known.get((config.name, config.version))


def _part_of(config: RoundConfig, names: list[str] | None, n_seeds: int | None, calls: int | None) -> RoundConfig:
    """Return the round with the requested tasks, seeds and budget.

    Raises:
        UsageError: the round has no such task.
    """
    known = {task.name for task in config.task}
    for name in names or ():
        if name not in known:
            raise UsageError(f"round {config.name!r} has no task {name!r}; it has {', '.join(sorted(known))}")
    tasks = tuple(
        task.model_copy(
            update={
                "kshot_seeds": task.kshot_seeds[:n_seeds],
                "budget_calls": min(calls or task.budget_calls, task.budget_calls),
            }
        )
        for task in config.task
        if not names or task.name in names
    )
    return config.model_copy(update={"task": tasks})
