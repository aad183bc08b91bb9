"""A control group per solver process, if the organizer has delegated one: memory and pids.

A second layer behind the resource limits and the watchdog. It also counts what these cannot see:
page tables, pipe buffers, the kernel's memory for files. Only the folders named in
`GRADFREE_CGROUPS` are used: changing a hierarchy that was not delegated would interfere with its
manager. Version 1 has one folder per controller, version 2 one for both.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

from harness.errors import SandboxUnavailable

__all__ = ["CGROUPS_VARIABLE", "ControlGroup", "delegated_folders"]

CGROUPS_VARIABLE = "GRADFREE_CGROUPS"
"""Environment variable: delegated folders, separated by colons."""

_PREFIX = "gradfree-"
_MEMORY = ("memory.max", "memory.limit_in_bytes")
_SWAP = ("memory.swap.max",)
_PIDS = ("pids.max",)
_EVENTS = ("memory.events", "memory.oom_control")
_REMOVE_S = 2.0
"""A reaped process may still be in its group for a moment."""


def delegated_folders() -> list[Path]:
    """Return the folders named in `GRADFREE_CGROUPS`; empty if none."""
    return [Path(part) for part in os.environ.get(CGROUPS_VARIABLE, "").split(":") if part]


class ControlGroup:
    """One group in every delegated folder; without folders every method does nothing."""

    def __init__(self, folders: list[Path], *, memory_bytes: int, n_tasks: int) -> None:
        """Create the groups, without processes.

        Args:
            folders: from `delegated_folders()`.
            memory_bytes: limit on all memory that the kernel counts for the group.
            n_tasks: limit on processes and threads.

        Raises:
            SandboxUnavailable: a named folder cannot be used; a configured layer is never skipped.
        """
        self._groups: list[Path] = []
        self.controllers: set[str] = set()
        """The limited resources: "memory", "pids"."""
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        with contextlib.ExitStack() as undo:
            undo.callback(self.remove)
            for folder in folders:
                self._make(folder / name, memory_bytes, n_tasks)
            undo.pop_all()

    def _make(self, group: Path, memory_bytes: int, n_tasks: int) -> None:
        try:
            _remove_leftovers(group.parent)
            _hand_down(group.parent)
            group.mkdir()
            self._groups.append(group)
            wanted = (("memory", _MEMORY, memory_bytes), ("pids", _PIDS, n_tasks))
            limited = {name for name, settings, value in wanted if _write(group, settings, value)}
            _write(group, _SWAP, 0)
        except OSError as error:
            msg = (
                f"the control group {error.filename or group} cannot be used: {error.strerror}; correct "
                f"{CGROUPS_VARIABLE}, or unset it"
            )
            raise SandboxUnavailable(msg) from error
        self.controllers |= limited
        if not limited:
            msg = f"{group.parent} has neither the memory nor the pids controller"
            raise SandboxUnavailable(f"{msg}; set {CGROUPS_VARIABLE} to other folders, or unset it")

    def add(self, pid: int) -> None:
        """Move a process into the groups, with its later children.

        Raises:
            SandboxUnavailable: the kernel refused.
        """
        for group in self._groups:
            try:
                (group / "cgroup.procs").write_text(str(pid))
            except OSError as error:
                msg = f"the solver cannot be put into {group}: {error.strerror}; see {CGROUPS_VARIABLE}"
                raise SandboxUnavailable(msg) from error

    def was_out_of_memory(self) -> bool:
        """Return whether the kernel killed a process of the group for its memory."""
        for group in self._groups:
            for name in _EVENTS:
                with contextlib.suppress(FileNotFoundError):
                    lines = (group / name).read_text().splitlines()
                    counts = dict(line.split() for line in lines)
                    if int(counts.get("oom_kill", 0)):
                        return True
        return False

    def remove(self) -> None:
        """Remove the groups; a later `ControlGroup` removes those that are still busy."""
        for group in self._groups:
            _remove(group)
        self._groups.clear()


def _write(group: Path, names: tuple[str, ...], value: int) -> bool:
    """Write the first setting that this kernel has; return whether there is one."""
    for name in names:
        if (group / name).exists():
            (group / name).write_text(str(value))
            return True
    return False


def _hand_down(folder: Path) -> None:
    """Version 2: enable the controllers for the groups below the folder."""
    switch = folder / "cgroup.subtree_control"
    if not switch.exists():
        return
    there, handed = (folder / "cgroup.controllers").read_text().split(), switch.read_text().split()
    wanted = [f"+{name}" for name in ("memory", "pids") if name in there and name not in handed]
    if wanted:
        switch.write_text(" ".join(wanted))


def _remove_leftovers(folder: Path) -> None:
    """Remove the groups of workers that no longer run."""
    for group in folder.glob(f"{_PREFIX}*-*"):
        owner = group.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _remove(group: Path) -> None:
    deadline = time.monotonic() + _REMOVE_S
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        else:
            return
