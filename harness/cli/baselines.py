"""`gradfree baselines ...`: the baselines and the gradient references, side by side."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from harness.cli.options import DEFAULT_ARENA, Home, Json, RoundOption, Shared, Unsafe, sandbox_mode, stores
from harness.cli.output import console, print_json
from harness.cli.worker import refuse_held
from harness.config import RoundConfig, load_round
from harness.errors import UsageError
from harness.records import with_version
from harness.rounds.intake import baseline_folder, enter_baselines, packaged_baselines, read_baseline
from harness.rounds.lifecycle import check_round, create_round, same_round
from harness.store.paths import ArenaPaths
from harness.store.sealed.rounds import list_rounds

if TYPE_CHECKING:  # they load scikit-learn and torch
    from harness.references import KeptRuns, ReferenceMethod, ReferenceRun
    from harness.rounds.comparison import Comparison
    from harness.session.loaded_round import LoadedRound

__all__ = ["baselines"]

baselines = typer.Typer(help="Run the baselines and compare them.", no_args_is_help=True)


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
        print_json(
            [dict(zip(("name", "description", "kind", "params"), item, strict=True)) for item in found]
        )
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
    task: Annotated[
        list[str] | None, typer.Option("--task", help="A task (may be repeated); default: all of the round.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="K-shot seeds per task, from the first on.")
    ] = None,
    calls: Annotated[int | None, typer.Option("--calls", min=1, help="A smaller budget per run.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Enter again the baselines that are in the round already.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    unsafe: Unsafe = False,
    as_json: Json = False,
) -> None:
    """Enter the baselines into a round, run them as any submission, and print method x task.

    Finished runs are kept: calling it again only runs what is new or changed. Fewer tasks, seeds or
    calls are other rules, and need an arena of their own (--home).
    """
    from harness.cli.progress import RunDisplay
    from harness.rounds.comparison import compare
    from harness.worker.worker import Worker

    _ = shared
    whole = load_round(round_)
    config = _part_of(whole, task, seeds, calls)
    for name in only or ():
        baseline_folder(name)  # refused before an arena is made for it
    mode = sandbox_mode(unsafe=unsafe)
    full_name = with_version(config.name, config.round.version)
    known = _digest_in_arena(home, config)
    if known is None:
        check_round(config)
    elif config != whole and known != config.digest():
        raise UsageError(
            f"--task, --seeds and --calls make other rules than those that {full_name} has in {home}; "
            "give them an arena of their own: --home FOLDER"
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
    task: Annotated[
        list[str] | None, typer.Option("--task", help="A task (may be repeated); default: all of the round.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="K-shot seeds per task, from the first on.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps in place of each method's own.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Show the scores on the round's board in --home, unranked.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="A folder for finished runs: called again, only what is not there runs."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
    home: Home = DEFAULT_ARENA,
    shared: Shared = None,
    as_json: Json = False,
) -> None:
    """Tune with gradients, outside the metered track: the same tasks, data and scoring, never ranked."""
    from harness.references import KeptRuns, load_reference, packaged_references, publish_reference
    from harness.rounds.comparison import Comparison, MethodRow
    from harness.session.loaded_round import LoadedRound

    _ = shared
    whole = load_round(round_)
    config = _part_of(whole, task, seeds, None)
    methods = [load_reference(name) for name in only or packaged_references()]
    if publish:
        if config != whole:
            raise UsageError("--publish shows a whole round: leave --task and --seeds out")
        with stores(home) as (_paths, sealed, _publisher), sealed.read() as tx:  # before hours of training
            same_round(tx, config)
    arena, kept, rows = LoadedRound(config), KeptRuns(keep) if keep else None, []
    for packaged in methods:
        method = packaged.trained_for(steps) if steps else packaged
        runs = []
        for run_, is_from_before in _reference_runs(arena, method, kept):
            runs.append(run_)
            if not (as_json or markdown):
                took = "kept from before" if is_from_before else f"{run_.wall_s:.1f} s"
                said = f"{method.name} · {run_.task} · seed {run_.kshot_seed}: score {run_.score:.1f}, {took}"
                console.print(said, highlight=False)
        scores = {item.name: [run_.score for run_ in runs if run_.task == item.name] for item in config.task}
        wall_s = fmean(run_.wall_s for run_ in runs)
        rows.append(MethodRow(method.name, scores, calls=None, engine_s=None, wall_s=wall_s))
        if publish:
            label = f"{method.name}, {steps} steps" if steps else method.name
            with stores(home) as (_paths, sealed, publisher):
                publish_reference(
                    sealed, publisher, with_version(config.name, config.round.version), runs, label
                )
    _print(Comparison((item.name for item in config.task), rows), as_json=as_json, is_markdown=markdown)


def _reference_runs(
    arena: "LoadedRound", method: "ReferenceMethod", kept: "KeptRuns | None"
) -> Iterator[tuple["ReferenceRun", bool]]:
    """Yield the runs of a reference on every task and seed, and whether each was kept from before."""
    from harness.references import run_reference

    for task in arena.config.task:
        for kshot_seed in task.kshot_seeds:
            found = kept.find(arena, method, task.name, kshot_seed) if kept else None
            run_ = found or run_reference(arena, method, task.name, kshot_seed)
            if kept and found is None:
                kept.keep(arena, method, run_)
            yield run_, found is not None


def _print(comparison: "Comparison", *, as_json: bool, is_markdown: bool) -> None:
    """Print a comparison in one of three ways."""
    if as_json:
        print_json(comparison.as_json())
    elif is_markdown:
        print(comparison.markdown())
    else:
        console.print(_table(comparison))


def _table(comparison: "Comparison") -> Table:
    """Return a comparison for the terminal."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("method", *comparison.tasks, "mean [95 %]", "calls", "seconds"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in comparison.rows:
        table.add_row(*map(escape, comparison.cells(row)))
    return table


def _digest_in_arena(home: Path, config: RoundConfig) -> str | None:
    """Return the digest that a round's name and version have in an arena; None if it is not there, or no arena is."""
    if not ArenaPaths(home).sealed_db.exists():
        return None
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        known = {(item.config.name, item.config.version): item.digest for item in list_rounds(tx)}
    return known.get((config.name, config.version))


def _part_of(
    config: RoundConfig, names: list[str] | None, n_seeds: int | None, calls: int | None
) -> RoundConfig:
    """Return the round with the tasks, seeds and budget that were asked for.

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
