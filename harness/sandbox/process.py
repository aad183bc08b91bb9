"""One solver process from spawn to reap: isolated, checked from outside, watched, killed."""

import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import InfrastructureError, SandboxUnavailable
from harness.sandbox.host import seccomp
from harness.sandbox.host.bwrap import SCRATCH
from harness.sandbox.host.control_group import ControlGroup, delegated_folders
from harness.sandbox.host.environment import SolverEnvironment, solver_environment
from harness.sandbox.host.isolation import check_isolation, only_child
from harness.sandbox.host.log import LogDrain
from harness.sandbox.host.spawn import N_TASKS, Descriptors, Spawned, spawn_isolated, spawn_plain
from harness.sandbox.host.watchdog import SolverClock, Watchdog, WatchLimits
from harness.sandbox.policy import SandboxMode, SandboxPolicy
from harness.sandbox.wire.frames import Channel, Frame, FrameError, FrameType
from harness.sandbox.wire.messages import FaultMessage, HelloMessage, read_message

__all__ = ["SolverProcess"]

_UID_BASE = 1_600_000_000
"""Root mode uses this plus the pid as user number: unique among running sandboxes, owns no files."""
_SCRATCH_INODES = 4096
_SOCKET_BYTES = 1 << 20
_KERNEL_BYTES = 32 << 20
"""Added to a control group's memory limit: page tables, stacks, socket and pipe buffers."""
_REAP_S = 10.0
_EXIT_S = 1.0
"""Time for a process to exit after it closed its channel."""


class SolverProcess:
    """Context manager of a locked-down, idle solver process; the process has ended after the block."""

    def __init__(
        self,
        submission: Mapping[str, bytes],
        policy: SandboxPolicy,
        mode: SandboxMode,
        *,
        wall_s: float,
        stop: threading.Event | None = None,
        log_path: Path | None = None,
    ) -> None:
        """Store the settings; `__enter__` starts the process.

        Args:
            submission: relative path -> contents.
            policy: the limits.
            mode: the kind of isolation.
            wall_s: limit on `clock`.
            stop: an event that ends the process, as an exceeded limit does.
            log_path: a file to create, to which the log is written as it is printed; None: no file.
        """
        self.clock = SolverClock()
        self.versions: dict[str, str] = {}
        self.channel: Channel
        self.log: LogDrain
        self.watchdog: Watchdog
        self.cpu_s = 0.0
        self.exit_status: int | None = None
        self.was_out_of_memory = False
        self._submission = submission
        self._policy = policy
        self._mode = mode
        self._wall_s = wall_s
        self._stop = stop
        self._log_path = log_path
        self._resources = contextlib.ExitStack()
        self._host_end: socket.socket
        self._popen: subprocess.Popen[bytes] | None = None
        self._pidfd: int | None = None
        self._group: ControlGroup | None = None

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            SandboxUnavailable: this machine cannot isolate it, or a check failed.
            InfrastructureError: it did not start for another reason.
        """
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill and reap the process, close all descriptors."""
        self._close()

    def end(self) -> None:
        """Kill the process if it is running, reap it, and record its resource usage."""
        if self.exit_status is not None or self._popen is None:
            return
        try:
            if hasattr(self, "watchdog"):
                self.watchdog.look()
                self.watchdog.stop()
        finally:
            self._kill()
            self._reap()

    def wait(self) -> bool:
        """Wait shortly for a process that closed its channel to exit, then end it.

        Returns:
            Whether it exited without being killed.
        """
        is_gone = False
        if self._pidfd is not None:
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            is_gone = bool(poller.poll(_EXIT_S * 1000))
        self.end()
        return is_gone

    @property
    def signal_number(self) -> int | None:
        """The signal that ended the process; None if it exited or is running."""
        status = self.exit_status
        if status is None:
            return None
        if status < 0:
            return -status
        # bubblewrap reports its child's death by signal as 128 + n, as a shell does.
        return status - 128 if self._mode is not SandboxMode.UNSAFE and status > 128 else None

    @property
    def was_killed_from_outside(self) -> bool:
        """Whether something else on the host killed bubblewrap's monitor.

        The solver cannot reach a process outside its pid namespace, and `end` kills the monitor's
        child, not the monitor.
        """
        return self._mode is not SandboxMode.UNSAFE and (self.exit_status or 0) < 0

    # Start-up

    def _start(self) -> None:
        _check_mode(self._mode)
        # Before anything is opened, because it raises if this machine cannot run solvers.
        environment = solver_environment()
        deadline = time.monotonic() + self._policy.startup_s
        self._host_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._resources.callback(self._host_end.close)
        self._host_end.setblocking(False)
        for end in (self._host_end, child_end):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        self.channel = Channel(self._host_end.fileno(), inbound_bytes=self._policy.inbound_bytes)
        log_read, log_write = os.pipe()
        self.log = LogDrain(log_read, self._policy.log_bytes, self._log_path)
        nonce = secrets.token_hex(16)
        with contextlib.ExitStack() as childs:
            childs.callback(child_end.close)
            childs.callback(os.close, log_write)
            self.log.start()
            fds = Descriptors(channel=child_end.fileno(), log=log_write)
            if self._mode is SandboxMode.UNSAFE:
                folder = tempfile.TemporaryDirectory(prefix="gradfree-unsafe-")
                place = Path(self._resources.enter_context(folder))
                spawned = spawn_plain(place, self._policy, self._submission, fds)
            else:
                spawned = spawn_isolated(self._mode, self._policy, environment, self._submission, fds)
            self._popen = spawned.popen
        # After our copies of the child's ends are closed, so that the log of a failed process reaches EOF.
        pid = self._identify(spawned, deadline)
        uid = _UID_BASE + pid if self._mode is SandboxMode.ROOT else None
        config = spawned.config | {"uid": uid, "gid": uid, "nonce": nonce, "scratch": SCRATCH}
        self._lock_down(config, nonce, deadline)
        self._watch(pid, environment)
        self._receive_report(FrameType.READY, deadline)

    def _identify(self, spawned: Spawned, deadline: float) -> int:
        """Open a pidfd of the process whose death ends the sandbox; return its number."""
        try:
            pid = spawned.first_process(deadline)
            self._pidfd = os.pidfd_open(pid)
        except (ValueError, KeyError, ProcessLookupError) as error:
            raise SandboxUnavailable(self._start_failure("bubblewrap could not build the sandbox")) from error
        self._resources.callback(os.close, self._pidfd)
        return pid

    def _lock_down(self, config: dict[str, object], nonce: str, deadline: float) -> None:
        """Send CONFIG; require the HELLO that the runner sends after its lockdown."""
        stage_2 = memoryview(seccomp.stage_2())
        try:
            self.channel.send(FrameType.CONFIG, 0, config, [stage_2], frame_s=_left(deadline))
        except FrameError as error:
            raise SandboxUnavailable(self._start_failure(f"the sandbox did not come up ({error})")) from error
        message = read_message(HelloMessage, self._receive_report(FrameType.HELLO, deadline))
        if message.nonce != nonce:
            raise SandboxUnavailable("the sandbox's HELLO has the wrong nonce; run `gradfree doctor`")
        known = solver_environment().versions
        self.versions = {name: version for name, version in message.versions.items() if name in known}
        self.versions["landlock_abi"] = str(message.landlock)

    def _receive_report(self, expected: FrameType, deadline: float) -> Frame:
        """Wait for a step of the start-up. No participant code has run: a failure is a platform error."""
        left = _left(deadline)
        try:
            frame = self.channel.receive(
                frozenset({expected, FrameType.FAULT}), idle_s=left, frame_s=left, expect_seq=0
            )
            problems = None
            if frame.type is FrameType.FAULT:
                problems = read_message(FaultMessage, frame).problems
        except FrameError as error:
            raise SandboxUnavailable(self._start_failure(f"the sandbox did not come up ({error})")) from error
        if problems is not None:
            msg = f"the sandbox failed before any submitted code ran: {'; '.join(problems)}; run `gradfree doctor`"
            raise SandboxUnavailable(msg)
        return frame

    def _watch(self, pid: int, environment: SolverEnvironment) -> None:
        scratch_fd: int | None = None
        if self._mode is not SandboxMode.UNSAFE:
            for name, version in environment.versions.items():
                if self.versions.get(name) != version:
                    inside = self.versions.get(name)
                    msg = f"not the same environment: {name} is {inside!r} inside the sandbox, expected {version!r}"
                    raise SandboxUnavailable(msg)
            runner = only_child(pid)
            uid = _UID_BASE + pid if self._mode is SandboxMode.ROOT else os.geteuid()
            check_isolation(runner, uid, user_namespace=self._mode is SandboxMode.USER)
            scratch_fd = os.open(f"/proc/{runner}/root{SCRATCH}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._resources.callback(os.close, scratch_fd)
            self._confine(runner)
            pid = runner
        proc_fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._resources.callback(os.close, proc_fd)
        limits = WatchLimits(self._wall_s, self._policy.cpu_s, self._policy.memory_bytes, _SCRATCH_INODES)
        self.watchdog = Watchdog(proc_fd, self.clock, limits, self._kill_and_wake, scratch_fd, self._stop)
        self.watchdog.start()

    def _confine(self, runner: int) -> None:
        """Move the runner into a control group, if one is delegated."""
        self._group = ControlGroup(
            delegated_folders(),
            memory_bytes=self._policy.memory_bytes + self._policy.scratch_bytes + _KERNEL_BYTES,
            n_tasks=N_TASKS,
        )
        self._resources.callback(self._group.remove)
        self._group.add(runner)

    def _start_failure(self, what: str) -> str:
        """End the process; return `what` with the text that bubblewrap or the interpreter printed."""
        self._kill()
        self._reap()
        text = self.log.kept[-2000:].decode("utf-8", "replace").strip()
        return f"{what}: {text or 'no message'}; run `gradfree doctor`"

    # The end

    def _kill_and_wake(self) -> None:
        """Kill, and end any wait on the channel even if a descendant has it open (UNSAFE)."""
        self._kill()
        with contextlib.suppress(OSError):
            self._host_end.shutdown(socket.SHUT_RDWR)

    def _kill(self) -> None:
        """Kill by pidfd, so that a reused pid is never hit."""
        if self._mode is SandboxMode.UNSAFE and self._popen is not None and self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        elif self._popen is not None and self.exit_status is None:
            # Not Popen.kill: it would reap the process and lose its usage. Until reaped, the pid is not reused.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._popen.pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Reap the process and record the CPU time of all descendants."""
        if self._popen is None or self.exit_status is not None:
            return
        deadline = time.monotonic() + _REAP_S
        while True:
            pid, status, usage = os.wait4(self._popen.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                msg = f"process {self._popen.pid} did not end {_REAP_S:g} s after SIGKILL"
                raise InfrastructureError(msg)
            time.sleep(0.002)
        self.exit_status = self._popen.returncode = os.waitstatus_to_exitcode(status)
        self.was_out_of_memory = self._group is not None and self._group.was_out_of_memory()
        # When process 1 of the sandbox is killed, the kernel reaps the solver without adding its CPU
        # time to any parent's: the last sample is then the larger value.
        sampled_s = self.watchdog.peak.cpu_s if hasattr(self, "watchdog") else 0.0
        self.cpu_s = max(sampled_s, usage.ru_utime + usage.ru_stime)
        self.log.join(_REAP_S)

    def _close(self) -> None:
        try:
            self.end()
        finally:
            # Also if the process was reaped elsewhere: the watchdog must not outlive its descriptors.
            if hasattr(self, "watchdog"):
                self.watchdog.stop()
            self._resources.close()


def _check_mode(mode: SandboxMode) -> None:
    is_root = os.geteuid() == 0
    if mode is SandboxMode.ROOT and not is_root:
        msg = f"sandbox mode 'root' needs root: got uid {os.geteuid()}; use mode 'user'"
        raise SandboxUnavailable(msg)
    if mode is SandboxMode.USER and is_root:
        # With --unshare-user the uid on the host stays 0: core_pattern could be opened for writing,
        # and RLIMIT_NPROC is not enforced.
        msg = "sandbox mode 'user' is not safe for root; use mode 'root'"
        raise SandboxUnavailable(msg)


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
