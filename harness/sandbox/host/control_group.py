"""A control group per solver process, where the organizer has delegated one: memory and pids.

A second layer behind the resource limits and the watchdog. It also counts what they cannot see:
page tables, pipe buffers, the kernel's own memory for files. Folders are used only where
`GRADFREE_CGROUPS` names them: writing into a hierarchy that nobody has handed over would interfere
with whoever manages it. Version 1 has one folder per controller, version 2 one for both.
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
"""A process that was reaped may still hold its group for a moment."""


def delegated_folders() -> list[Path]:
    """Return the folders that the organizer named; empty if none."""
    return [Path(part) for part in os.environ.get(CGROUPS_VARIABLE, "").split(":") if part]


class ControlGroup:
    """One group in every delegated folder. Without any, all of it does nothing."""

    def __init__(self, folders: list[Path], *, memory_bytes: int, n_tasks: int) -> None:
        """Make the groups, empty.

        Args:
            folders: from `delegated_folders()`.
            memory_bytes: everything that the kernel counts for the group.
            n_tasks: processes and threads.

        Raises:
            SandboxUnavailable: a folder was named but cannot be used. A layer that was asked for
                is never left out in silence.
        """
        self._groups: list[Path] = []
        self.controllers: set[str] = set()
        """What is limited: "memory", "pids"."""
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
                f"the control group {error.filename or group} cannot be used: {error.strerror}; mend what "
                f"{CGROUPS_VARIABLE} names, or unset it"
            )
            raise SandboxUnavailable(msg) from error
        self.controllers |= limited
        if not limited:
            msg = f"{group.parent} has neither the memory nor the pids controller"
            raise SandboxUnavailable(f"{msg}; name other folders in {CGROUPS_VARIABLE}, or none")

    def add(self, pid: int) -> None:
        """Move a process in, with what it starts from now on.

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
        """Whether the kernel killed a process of the group for its memory."""
        for group in self._groups:
            for name in _EVENTS:
                with contextlib.suppress(FileNotFoundError):
                    lines = (group / name).read_text().splitlines()
                    counts = dict(line.split() for line in lines)
                    if int(counts.get("oom_kill", 0)):
                        return True
        return False

    def remove(self) -> None:
        """Remove the groups; what cannot be removed yet is a later one's leftover."""
        for group in self._groups:
            _remove(group)
        self._groups.clear()


def _write(group: Path, names: tuple[str, ...], value: int) -> bool:
    """Set the first of the settings that this kernel has; say whether there was one."""
    for name in names:
        if (group / name).exists():
            (group / name).write_text(str(value))
            return True
    return False


def _hand_down(folder: Path) -> None:
    """Version 2: groups below get the controllers that their parent hands down."""
    switch = folder / "cgroup.subtree_control"
    if not switch.exists():
        return
    there, handed = (folder / "cgroup.controllers").read_text().split(), switch.read_text().split()
    wanted = [f"+{name}" for name in ("memory", "pids") if name in there and name not in handed]
    if wanted:
        switch.write_text(" ".join(wanted))


def _remove_leftovers(folder: Path) -> None:
    """Remove the groups of workers that were killed."""
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
