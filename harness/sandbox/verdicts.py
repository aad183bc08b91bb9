"""Derive a verdict from the end of a solver process."""

import signal

from harness.errors import InfrastructureError
from harness.records import Verdict
from harness.sandbox.host.watchdog import Breach
from harness.sandbox.policy import SandboxPolicy
from harness.sandbox.process import SolverProcess

__all__ = ["verdict_of_death"]

_NEARLY = 0.9
"""Share of the memory limit in use above which a death by signal counts as MLE."""


def verdict_of_death(process: SolverProcess, policy: SandboxPolicy) -> tuple[Verdict, str]:
    """Reap a process that closed its channel without a solution; return its verdict and a message.

    Of several causes the first counts, in this order: PV, SV, MLE, TLE, RTE.

    Raises:
        InfrastructureError: the watchdog failed, the harness stopped the process, or bubblewrap was
            killed from the host.
    """
    is_gone = process.wait()
    watchdog, by_signal = process.watchdog, process.signal_number
    used = max(watchdog.peak.data_bytes, watchdog.peak.unreclaimable_bytes)
    cap = policy.memory_bytes
    if watchdog.fault is not None:
        msg = f"the watchdog could not sample the solver process: {watchdog.fault}"
        raise InfrastructureError(msg)
    if watchdog.breach is Breach.STOPPED:
        raise InfrastructureError("the solver was stopped: the run was cancelled")
    if process.was_killed_from_outside:
        msg = f"bubblewrap was killed by signal {by_signal} from outside the sandbox"
        raise InfrastructureError(msg)
    how = f"by signal {by_signal}" if by_signal is not None else f"with exit status {process.exit_status}"
    causes = (
        (
            not is_gone and watchdog.breach is None,
            Verdict.PROTOCOL_VIOLATION,
            "protocol violation: the channel to the harness was closed",
        ),
        (by_signal == signal.SIGSYS, Verdict.SANDBOX_VIOLATION, "killed for a forbidden system call"),
        (
            watchdog.breach is Breach.MEMORY or process.was_out_of_memory,
            Verdict.MEMORY_LIMIT,
            f"more than {cap} bytes of memory in use",
        ),
        (watchdog.breach is Breach.INODES, Verdict.MEMORY_LIMIT, "too many files in the scratch folder"),
        (watchdog.breach is Breach.TIME, Verdict.TIME_LIMIT, f"more than {watchdog.limits.wall_s:g} s of solver time"),
        (
            watchdog.breach is Breach.CPU or by_signal == signal.SIGXCPU or process.cpu_s > policy.cpu_s,
            Verdict.TIME_LIMIT,
            f"more than {policy.cpu_s:g} s of CPU time",
        ),
        (
            by_signal is not None and used > _NEARLY * cap,
            Verdict.MEMORY_LIMIT,
            f"ended {how} with {used} of {cap} bytes of memory in use",
        ),
    )
    otherwise = (Verdict.RUNTIME_ERROR, f"the process ended {how} before it returned a solution")
    return next(((verdict, message) for holds, verdict, message in causes if holds), otherwise)
