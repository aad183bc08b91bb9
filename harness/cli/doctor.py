"""`gradfree doctor`: report what this machine has and lacks, with the command that repairs it."""

import importlib.metadata
import shutil
from dataclasses import asdict

import typer
from rich.markup import escape

from harness.cli.options import Json, Shared
from harness.cli.output import console, print_json
from harness.config import load_round, packaged_rounds, shared_folder
from harness.sandbox import HostCheck, probe_control_groups, probe_host
from harness.toy import WEIGHTS_DIR

__all__ = ["BROWSERS", "doctor"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def doctor(shared: Shared = None, as_json: Json = False) -> None:
    """Probe this machine: sandbox, packages, toy model, optional data and browser."""
    _ = shared
    report = probe_host()
    required = [*report.checks, _packages(), _toy_model()]
    optional = [probe_control_groups(), _kernels(), _shared_data(), _browser()]
    is_ready = report.mode is not None and all(check.ok for check in required)
    if as_json:
        print_json(
            {
                "ok": is_ready,
                "sandbox_mode": None if report.mode is None else report.mode.value,
                "required": [asdict(check) for check in required],
                "optional": [asdict(check) for check in optional],
            }
        )
    else:
        for check in required:
            _show(check, "[red]missing[/]")
        for check in optional:
            _show(check, "[yellow]absent[/] ")
        mode = "none" if report.mode is None else report.mode.value
        console.print(f"sandbox mode: {mode}. {'Ready.' if is_ready else 'Not ready: see the fixes above.'}")
    if not is_ready:
        raise typer.Exit(3)


def _show(check: HostCheck, otherwise: str) -> None:
    console.print(f"{'[green]ok[/]     ' if check.ok else otherwise} {escape(check.name)}: {escape(check.detail)}")
    if not check.ok and check.fix:
        console.print(f"          fix: {escape(check.fix)}", soft_wrap=True)


def _packages() -> HostCheck:
    names = ("torch", "transformers", "datasets", "cma", "streamlit", "sqlalchemy")
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    detail = ", ".join(found) if not missing else f"not installed: {', '.join(missing)}"
    return HostCheck("python packages", not missing, detail, "make install")


def _toy_model() -> HostCheck:
    weights = WEIGHTS_DIR / "model.safetensors"
    return HostCheck("toy model", weights.is_file(), str(weights), "make toy-model")


def _kernels() -> HostCheck:
    from harness.engine.native import why_not  # it loads torch

    reason = why_not()
    detail = f"{reason}; the engine computes with torch alone" if reason else "linear maps and attention on AMX"
    return HostCheck("matrix kernels", not reason, detail, "")


def _shared_data() -> HostCheck:
    folder = shared_folder()
    wanted = {
        name: load_round(name).model.source.removeprefix("path:@shared/")
        for name in packaged_rounds()
        if load_round(name).model.source.startswith("path:@shared/")
    }
    lacking = [name for name, model in wanted.items() if not (folder / model).is_dir()]
    return HostCheck(
        "shared data",
        not lacking,
        f"{folder}, for the rounds {', '.join(wanted)}" + ("; its model is not there" if lacking else ""),
        "name the folder with --shared FOLDER or GRADFREE_SHARED; the other rounds work without it",
    )


def _browser() -> HostCheck:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    return HostCheck(
        "browser for the tests", found is not None, found or "no Chromium", "sudo apt-get install chromium"
    )
