"""Watch a solver process from outside: its clock, CPU time, memory and scratch folder."""

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
    """The reason for which the watchdog ended the process."""

    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    INODES = "inodes"
    STOPPED = "stopped"
    """Not a limit: the harness cancelled the run."""


class SolverClock:
    """A stopwatch of the solver's time, started and stopped by the harness. Thread-safe."""

    def __init__(self) -> None:
        """Stopped at zero."""
        self._lock = threading.Lock()
        self._total_s = 0.0
        self._since: float | None = None

    def start(self, since: float | None = None) -> None:
        """Start it; no effect while it runs.

        Args:
            since: count from this value of `time.monotonic`; None: from now.
        """
        with self._lock:
            if self._since is None:
                self._since = time.monotonic() if since is None else since

    def stop(self) -> None:
        """Stop it; no effect while it is stopped."""
        with self._lock:
            if self._since is not None:
                self._total_s += time.monotonic() - self._since
                self._since = None

    def elapsed_s(self) -> float:
        """Return the seconds for which it has run."""
        with self._lock:
            running = 0.0 if self._since is None else time.monotonic() - self._since
            return self._total_s + running


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """The limits of the process.

    Attributes:
        wall_s: on the solver's clock.
        cpu_s: all threads together.
        memory_bytes: anonymous and shared pages, resident or swapped out; not file pages, which the
            kernel can reclaim.
        scratch_inodes: files in the scratch folder; no per-process limit counts their kernel memory.
    """

    wall_s: float
    cpu_s: float
    memory_bytes: int
    scratch_inodes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a process: CPU seconds, and bytes of memory by kind."""

    cpu_s: float = 0.0
    unreclaimable_bytes: int = 0
    data_bytes: int = 0
    peak_rss_bytes: int = 0


def _read_at(folder_fd: int, name: str) -> str:
    # A thread's name may have any bytes; Latin-1 decodes them all.
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder_fd), encoding="latin-1") as file:  # noqa: PTH123
        return file.read()


def sample_process(proc_fd: int) -> Sample | None:
    """Sample a process; return None once it has ended.

    Args:
        proc_fd: descriptor of its folder in /proc, which never refers to another process.
    """
    try:
        stat, status = _read_at(proc_fd, "stat"), _read_at(proc_fd, "status")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may contain spaces and parentheses: the fields follow the last one.
    fields = stat.rpartition(")")[2].split()
    # A main thread that ended has no memory map, even if other threads run.
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
    """Return the memory sizes of a `status` file in bytes; empty for a thread that has ended."""
    pairs = (line.partition(":") for line in status.splitlines())
    return {
        name: int(value.split()[0]) * _KIB
        for name, _, value in pairs
        if name in ("VmData", "VmHWM", "VmSwap", "RssAnon", "RssShmem")
    }


def _sizes_by_thread(proc_fd: int) -> dict[str, int]:
    """Return the memory sizes of the first running thread."""
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
    """Sample every 50 ms, record the peaks, and kill the process at the first exceeded limit."""

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
            proc_fd: descriptor of the solver process's folder in /proc.
            clock: its wall clock.
            limits: its limits.
            kill: ends the process and any wait on its channel.
            scratch_fd: descriptor of the scratch folder; None if it is not a separate filesystem.
            stop: an event that ends the process when set.
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
        """Sample until stopped or until a limit is exceeded."""
        while not self._over.wait(_PERIOD_S):
            try:
                if self.look() is not None:
                    return
            except Exception as error:  # noqa: BLE001 - any error must end the process too
                # Without a watchdog no limit is enforced.
                self.fault = error
                self._kill()
                return

    def look(self) -> Breach | None:
        """Take one sample, record the peaks, and kill the process if a limit is exceeded."""
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
        """End the thread and wait for it."""
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
