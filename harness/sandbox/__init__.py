"""Run participants' code: policy, launcher, verdicts and the host probe.

`wire/` holds the format of the messages, `host/` the isolation from outside, `child/` what runs
inside. Names are imported on first use: the sandboxed process imports this package too and must
start without pydantic and without the launcher.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sandbox.outcome import PredictOutcome, SolveOutcome, SubmissionSource
    from harness.sandbox.policy import SandboxMode, SandboxPolicy
    from harness.sandbox.predict_process import run_predict
    from harness.sandbox.probe import HostCheck, HostReport, probe_control_groups, probe_host, require_mode
    from harness.sandbox.service import BlackBoxService
    from harness.sandbox.solver_process import run_solve

__all__ = [
    "BlackBoxService",
    "HostCheck",
    "HostReport",
    "PredictOutcome",
    "SandboxMode",
    "SandboxPolicy",
    "SolveOutcome",
    "SubmissionSource",
    "probe_control_groups",
    "probe_host",
    "require_mode",
    "run_predict",
    "run_solve",
]

_MODULES = {
    "outcome": ("PredictOutcome", "SolveOutcome", "SubmissionSource"),
    "policy": ("SandboxMode", "SandboxPolicy"),
    "predict_process": ("run_predict",),
    "probe": ("HostCheck", "HostReport", "probe_control_groups", "probe_host", "require_mode"),
    "service": ("BlackBoxService",),
    "solver_process": ("run_solve",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
