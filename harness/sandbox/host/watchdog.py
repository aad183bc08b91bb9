"""Watching a solver process from outside: its clock, CPU time, memory and scratch folder."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Breach", "Sample", "SolverClock", "WatchLimits", "Watchdog", "sample_process"]

_PERIOD_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KIB = 1024


class Breach(StrEnum):
    """Which limit the watchdog ended the process for."""

    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    INODES = "inodes"
    STOPPED = "stopped"
    """No limit of the solver's: the harness wants no result any more."""


class SolverClock:
    """A stopwatch of the solver's time, as far as the harness lets it run. Thread-safe."""

    def __init__(self) -> None:
        """Stopped at zero."""
        self._lock = threading.Lock()
        self._total_s = 0.0
        self._since: float | None = None

    def start(self, since: float | None = None) -> None:
        """Let it run; no effect while it runs.

        Args:
            since: the moment of `time.monotonic` from which it counts; None is now.
        """
        with self._lock:
            if self._since is None:
                self._since = time.monotonic() if since is None else since

    def stop(self) -> None:
        """Halt it; no effect while it stands."""
        with self._lock:
            if self._since is not None:
                self._total_s += time.monotonic() - self._since
                self._since = None

    def elapsed_s(self) -> float:
        """Return the seconds that it ran."""
        with self._lock:
            running = 0.0 if self._since is None else time.monotonic() - self._since
            return self._total_s + running


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """What the process may use.

    Attributes:
        wall_s: on the solver's clock.
        cpu_s: all threads together.
        memory_bytes: anonymous and shared pages, resident or swapped out; file pages can be reclaimed.
        scratch_inodes: files in the scratch folder: each costs kernel memory that no
            per-process limit counts.
    """

    wall_s: float
    cpu_s: float
    memory_bytes: int
    scratch_inodes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: CPU seconds, and bytes of memory of several kinds."""

    cpu_s: float = 0.0
    unreclaimable_bytes: int = 0
    data_bytes: int = 0
    peak_rss_bytes: int = 0


def _read_at(folder_fd: int, name: str) -> str:
    # A thread chooses the bytes of its name: any must be readable, and those of Latin-1 are.
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder_fd), encoding="latin-1") as file:  # noqa: PTH123
        return file.read()


def sample_process(proc_fd: int) -> Sample | None:
    """Read the kernel's figures; None once the process is gone.

    Args:
        proc_fd: its folder below /proc, opened: unlike a number it never comes to mean another
            process.
    """
    try:
        stat, status = _read_at(proc_fd, "stat"), _read_at(proc_fd, "status")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and parentheses: fields count from the last one.
    fields = stat.rpartition(")")[2].split()
    # A main thread that ended has no memory map, though its other threads run on.
    sizes = _sizes(status) or _sizes_by_thread(proc_fd)
    if not sizes:
        return None  # a zombie
    return Sample(
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        unreclaimable_bytes=sum(sizes.get(name, 0) for name in ("RssAnon", "RssShmem", "VmSwap")),
        data_bytes=sizes.get("VmData", 0),
        peak_rss_bytes=sizes.get("VmHWM", 0),
    )


def _sizes(status: str) -> dict[str, int]:
    """Return the memory of one `status` file in bytes; empty for a thread that has ended."""
    pairs = (line.partition(":") for line in status.splitlines())
    return {
        name: int(value.split()[0]) * _KIB
        for name, _, value in pairs
        if name in ("VmData", "VmHWM", "VmSwap", "RssAnon", "RssShmem")
    }


def _sizes_by_thread(proc_fd: int) -> dict[str, int]:
    """Return the same of the first thread that still runs."""
    try:
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc_fd)
    except (FileNotFoundError, ProcessLookupError):
        return {}
    try:
        for thread in os.listdir(tasks):  # noqa: PTH208 - by descriptor
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if sizes := _sizes(_read_at(tasks, f"{thread}/status")):
                    return sizes
    except (FileNotFoundError, ProcessLookupError):
        return {}
    finally:
        os.close(tasks)
    return {}


class Watchdog(threading.Thread):
    """Looks every 50 ms, keeps the peaks, and kills at the first limit passed."""

    def __init__(
        self,
        proc_fd: int,
        clock: SolverClock,
        limits: WatchLimits,
        kill: Callable[[], None],
        scratch_fd: int | None,
        stop: threading.Event | None = None,
    ) -> None:
        """Watch one process.

        Args:
            proc_fd: the solver process's folder below /proc, opened.
            clock: its wall clock.
            limits: what it may use.
            kill: ends the process and wakes whoever waits on its channel.
            scratch_fd: the scratch folder, opened; None where it is not a filesystem of its own.
            stop: set by whoever wants the process ended; None where nobody can.
        """
        super().__init__(name="solver-watchdog", daemon=True)
        self._proc_fd = proc_fd
        self._clock = clock
        self.limits = limits
        self._kill = kill
        self._scratch_fd = scratch_fd
        self._stop_wanted = stop
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.breach: Breach | None = None
        self.fault: Exception | None = None
        self.peak = Sample()

    def run(self) -> None:
        """Look until stopped or until a limit is passed."""
        while not self._over.wait(_PERIOD_S):
            try:
                if self.look() is not None:
                    return
            except Exception as error:  # noqa: BLE001 - whatever it is, this thread must not end alone
                # Blind is not safe: without a watchdog no limit holds.
                self.fault = error
                self._kill()
                return

    def look(self) -> Breach | None:
        """Take one sample, record the peaks, and kill if a limit is passed."""
        with self._lock:
            sample = sample_process(self._proc_fd)
            if sample is not None:
                self.peak = Sample(
                    cpu_s=max(self.peak.cpu_s, sample.cpu_s),
                    unreclaimable_bytes=max(self.peak.unreclaimable_bytes, sample.unreclaimable_bytes),
                    data_bytes=max(self.peak.data_bytes, sample.data_bytes),
                    peak_rss_bytes=max(self.peak.peak_rss_bytes, sample.peak_rss_bytes),
                )
            if self.breach is None:
                self.breach = self._passed(sample)
                if self.breach is not None:
                    self._kill()
            return self.breach

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._over.set()
        if self.is_alive() and threading.current_thread() is not self:
            self.join()

    def _passed(self, sample: Sample | None) -> Breach | None:
        if self._stop_wanted is not None and self._stop_wanted.is_set():
            return Breach.STOPPED
        if sample is not None and sample.unreclaimable_bytes > self.limits.memory_bytes:
            return Breach.MEMORY
        if sample is not None and sample.cpu_s > self.limits.cpu_s:
            return Breach.CPU
        if self._clock.elapsed_s() > self.limits.wall_s:
            return Breach.TIME
        if self._scratch_fd is not None:
            files = os.fstatvfs(self._scratch_fd)
            if files.f_files - files.f_ffree > self.limits.scratch_inodes:
                return Breach.INODES
        return None
