"""Run participants' code: policy, launcher, verdicts and the host probe.

`wire/` holds the format of the messages, `host/` the isolation from outside, `child/` what runs
inside. Names are imported on first use: the sandboxed process imports this package too and must
start without pydantic and without the launcher.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sandbox.outcome import (
        PredictOutcome as PredictOutcome,
    )
    from harness.sandbox.outcome import (
        SolveOutcome as SolveOutcome,
    )
    from harness.sandbox.outcome import (
        SubmissionSource as SubmissionSource,
    )
    from harness.sandbox.policy import (
        SandboxMode as SandboxMode,
    )
    from harness.sandbox.policy import (
        SandboxPolicy as SandboxPolicy,
    )
    from harness.sandbox.predict_process import run_predict as run_predict
    from harness.sandbox.probe import (
        HostCheck as HostCheck,
    )
    from harness.sandbox.probe import (
        HostReport as HostReport,
    )
    from harness.sandbox.probe import (
        probe_control_groups as probe_control_groups,
    )
    from harness.sandbox.probe import (
        probe_host as probe_host,
    )
    from harness.sandbox.probe import (
        require_mode as require_mode,
    )
    from harness.sandbox.service import BlackBoxService as BlackBoxService
    from harness.sandbox.solver_process import run_solve as run_solve

_HOMES = {
    "BlackBoxService": "service",
    "HostCheck": "probe",
    "HostReport": "probe",
    "PredictOutcome": "outcome",
    "SandboxMode": "policy",
    "SandboxPolicy": "policy",
    "SolveOutcome": "outcome",
    "SubmissionSource": "outcome",
    "probe_control_groups": "probe",
    "probe_host": "probe",
    "require_mode": "probe",
    "run_predict": "predict_process",
    "run_solve": "solver_process",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - one list of names, not two


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
