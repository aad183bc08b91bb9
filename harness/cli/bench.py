"""`gradfree bench`: speed of a forward call on this machine, relative to plain transformers."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from harness.cli.options import Shared
from harness.cli.output import console, errors

__all__ = ["bench"]


def bench(
    case: Annotated[
        list[str] | None, typer.Option("--case", help="A case to measure (may be repeated); default: all.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the cases with a description.")] = False,
    shared: Shared = None,
) -> None:
    """Measure the engine: one JSON line per case on standard output, then a table.

    A case is refused where its output does not match the reference. All cases take about half an
    hour on two cores, mostly for the reference forward passes of the large model.
    """
    from harness.bench import BenchRefused, case_names, run_case

    _ = shared
    known = case_names()
    if show:
        for name, about in known.items():
            console.print(f"{name}: {about}", soft_wrap=True)
        return
    names = case or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"no case {unknown[0]!r}; `gradfree bench --list` names them", param_hint="--case")
    lines, refused = [], 0
    for name in names:
        # One process per case, for separate threads and peak memory.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                line = pool.submit(run_case, name).result()
            except BenchRefused as error:
                refused += 1
                errors.print(f"[yellow]{escape(name)}:[/] {escape(str(error))}", soft_wrap=True)
                continue
        lines.append(line)
        print(json.dumps(line.as_dict()), flush=True)
    table = Table("case", "reference", "engine", "ratio", "useful", "of matmul peak", box=box.SIMPLE)
    for line in lines:
        useful = "" if line.useful_tflops is None else f"{line.useful_tflops:.3f} TFLOP/s"
        share = "" if line.peak_share is None else f"{100 * line.peak_share:.0f} %"
        table.add_row(
            line.case,
            f"{1000 * line.reference_s_per_call:.2f} ms",
            f"{1000 * line.engine_s_per_call:.2f} ms",
            f"{line.ratio:.2f}x",
            useful,
            share,
        )
    errors.print(table)
    if refused:
        raise typer.Exit(BenchRefused.exit_code)
