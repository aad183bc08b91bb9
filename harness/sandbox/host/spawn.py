"""Start the process: bubblewrap with the runner, or the runner without isolation."""

import contextlib
import json
import os
import select
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.sandbox.host import seccomp
from harness.sandbox.host.bwrap import PACKAGES, SUBMISSION, BwrapCommand, child_environment
from harness.sandbox.host.environment import SolverEnvironment
from harness.sandbox.policy import SandboxMode, SandboxPolicy

__all__ = ["N_TASKS", "Descriptors", "Spawned", "spawn_isolated", "spawn_plain"]

N_TASKS = 64
"""Threads of a solver process."""
_NOFILE, _SIGPENDING = 256, 256
_STACK_BYTES = 8 << 20
_ADDRESS_SLACK_BYTES = 16 << 30
"""Address space beyond the memory limit, for libraries and unused reservations.

A solver that reserves all of it can exceed the limit on its data segment by as much, until the
watchdog's next sample.
"""
_CANARIES = ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/proc/self", "/home", "/var", "/run")
_HARNESS = Path(__file__).resolve().parents[2]
_NO_SITE = ("-S", "-s", "-P", "-B")
"""Python's options: no site packages, no user site, no script folder on the path, no .pyc files."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The new process's end of the channel, and the write end of its log."""

    channel: int
    log: int


@dataclass(frozen=True, slots=True)
class Spawned:
    """A started process.

    Attributes:
        popen: bubblewrap's monitor, or the runner itself.
        info_fd: the pipe with bubblewrap's report; None without bubblewrap.
        config: the runner's configuration, without the entries that depend on the pid.
    """

    popen: subprocess.Popen[bytes]
    info_fd: int | None
    config: dict[str, Any]

    def first_process(self, deadline: float) -> int:
        """Return the number of the process whose death ends all others.

        Args:
            deadline: in seconds of `time.monotonic`.

        Raises:
            ValueError: bubblewrap ended without a report.
            KeyError: its report has no process number.
        """
        if self.info_fd is None:
            return self.popen.pid
        report = b""
        with open(self.info_fd, "rb", buffering=0) as info:  # noqa: PTH123 - from a descriptor
            poller = select.poll()
            poller.register(info, select.POLLIN)
            while poller.poll(max(0.0, deadline - time.monotonic()) * 1000) and (chunk := info.read(4096)):
                report += chunk
        return int(json.loads(report)["child-pid"])


def spawn_isolated(
    mode: SandboxMode,
    policy: SandboxPolicy,
    environment: SolverEnvironment,
    submission: Mapping[str, bytes],
    fds: Descriptors,
) -> Spawned:
    """Run bubblewrap, which builds the sandbox and executes the runner in it.

    Raises:
        SandboxUnavailable: bubblewrap is not installed.
    """
    passed = [fds.channel]
    with contextlib.ExitStack() as ours:

        def open_data(data: bytes) -> int:
            fd = os.memfd_create("gradfree", os.MFD_CLOEXEC)
            ours.callback(os.close, fd)
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(fd, 0, os.SEEK_SET)
            passed.append(fd)
            return fd

        bwrap = BwrapCommand(open_data)
        info_read, info_write = os.pipe()
        ours.callback(os.close, info_write)
        passed.append(info_write)
        numbers = {"channel": fds.channel, "info": info_write, "seccomp": open_data(seccomp.stage_1())}
        try:
            popen = subprocess.Popen(
                bwrap.build(mode, policy, environment, submission, fds=numbers),
                env={},
                stdin=subprocess.DEVNULL,
                stdout=fds.log,
                stderr=fds.log,
                pass_fds=passed,
            )
        except BaseException:
            os.close(info_read)
            raise
    config = {
        "isolated": True,
        "rlimits": _rlimits(policy, isolated=True),
        "root_entries": bwrap.root_entries,
        "canaries": [path for path in (*_CANARIES, str(_HARNESS)) if not bwrap.holds(path)],
        "read_only": ["/", "/dev", PACKAGES, *map(str, (*environment.trees, *environment.hidden))],
        "packages": [PACKAGES],
        "submission": SUBMISSION,
    }
    return Spawned(popen, info_read, config)


def spawn_plain(folder: Path, policy: SandboxPolicy, submission: Mapping[str, bytes], fds: Descriptors) -> Spawned:
    """Start the runner in the same interpreter without isolation, in an empty folder."""
    files, scratch = folder / "submission", folder / "scratch"
    for made in (files, scratch):
        made.mkdir()
    for name, data in submission.items():
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    runner = _HARNESS / "sandbox" / "child" / "runner.py"
    popen = subprocess.Popen(
        [os.path.realpath(sys.executable), *_NO_SITE, str(runner), str(fds.channel), str(_HARNESS.parent)],
        env=child_environment(policy, str(scratch)),
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=fds.log,
        stderr=fds.log,
        pass_fds=[fds.channel],
        start_new_session=True,
    )
    config = {
        "isolated": False,
        "rlimits": _rlimits(policy, isolated=False),
        "packages": _site_packages(),
        "submission": str(files),
    }
    return Spawned(popen, None, config)


def _rlimits(policy: SandboxPolicy, *, isolated: bool) -> dict[str, tuple[int, int]]:
    limits = {
        "DATA": policy.memory_bytes,
        "AS": policy.memory_bytes + _ADDRESS_SLACK_BYTES,
        "FSIZE": policy.scratch_bytes,
        "CPU": int(policy.cpu_s) + 2,  # the watchdog comes first: its message is better
        "CORE": 0,
    }
    if isolated:
        limits |= {
            "NPROC": N_TASKS,
            "NOFILE": _NOFILE,
            "STACK": _STACK_BYTES,
            "MEMLOCK": 0,
            "SIGPENDING": _SIGPENDING,
            "MSGQUEUE": 0,
        }
    return {name: (value, value) for name, value in limits.items()}


def _site_packages() -> list[str]:
    """Return this interpreter's package folders, for a run without isolation."""
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    listed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return [path for path in dict.fromkeys([*listed, *own]) if Path(path).is_dir()]
