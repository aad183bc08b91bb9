"""What every hostile solver builds on, and what the suite must know of each attack.

This folder is copied into the sandbox as the submission: standard library only, and importing a
module does nothing but fill `ATTACKS`. An attack is a function that returns a proof when it got
through, and raises otherwise; many never come back.
"""

import ctypes
import errno
import os
import threading
from dataclasses import dataclass, field

ATTACKS = {}

# Layers, as SECURITY.md names them.
MOUNTS = "mount namespace"
SECCOMP = "seccomp"
RLIMITS = "resource limits"
GROUPS = "control groups"
WATCHDOG = "watchdog"
ENVIRONMENT = "clean start"
WIRE = "wire protocol"
LOG = "log drain"
METER = "meter"
SESSION = "session"
PUBLIC = "public store"

REFUSALS = {
    MOUNTS: {errno.ENOENT, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EXDEV},
    SECCOMP: {errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EINVAL, errno.ENOTTY},
    RLIMITS: {errno.EMFILE, errno.EAGAIN, errno.ENOMEM, errno.EFBIG, errno.ENOSPC, "MemoryError", "RuntimeError"},
    GROUPS: {errno.EAGAIN, "RuntimeError"},
    ENVIRONMENT: {"NotFound"},
    METER: {"NotFound", "BudgetExhausted"},
    SESSION: {"NotFound", "InvalidQuery"},
}
"""How each layer says no: what an attack that it stops may fail with."""


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        run: the function; gets what the suite hands over (`given`), and the model.
        name: of the function.
        group: of the module.
        layer: what stops it first.
        verdict: how the attempt must end.
        control: how the suite shows that it works without its layer: "unsafe" (no sandbox),
            "bare" (a plain child process), "relaxed" (the same sandbox, other limits), "sound" (the
            same frame without its fault), "patched" (the check on the host's side taken out),
            "ungrouped" (the same sandbox, no control group).
        limits: of the sandbox's policy; "budget" is the number of calls.
        relaxed: limits of the control on top.
        hold_s: it also got through if it used this much of what is limited: CPU time, or its own clock.
        stage: "solve" against a small counting service, "attempt" a whole one on the toy round, "predict"
            the same from the submission's `predict`; "arena" and "arena predict" on through worker, stores
            and board.
        needs: what the control needs of the machine: "root", "namespace" (root, or a user namespace of its
            own) or nothing.
        controller: "memory" or "pids" where a control group of it is the layer.
        n_tasks: the group's bound on threads, where it is to answer before the resource limits.
        args: handed to `run`.
    """

    run: object
    name: str
    group: str
    layer: str
    verdict: str
    control: str
    limits: dict = field(default_factory=dict)
    relaxed: dict = field(default_factory=dict)
    hold_s: float | None = None
    stage: str = "solve"
    needs: str = ""
    controller: str = ""
    n_tasks: int | None = None


def attack(
    layer,
    verdict="OK",
    *,
    control="unsafe",
    relaxed=None,
    hold_s=None,
    stage="solve",
    needs="",
    controller="",
    n_tasks=None,
    **limits,
):
    """Enter a function into `ATTACKS`."""

    def enter(run):
        name, group = run.__name__.replace("_", "-"), run.__module__
        if name in ATTACKS:
            raise ValueError(f"two attacks are called {name}")
        kind = control if relaxed is None else "relaxed"
        kind = "ungrouped" if controller else kind
        ATTACKS[name] = Attack(
            run=run,
            name=name,
            group=group,
            layer=layer,
            verdict=verdict,
            control=kind,
            limits=limits,
            relaxed=relaxed or {},
            hold_s=hold_s,
            stage=stage,
            needs=needs,
            controller=controller,
            n_tasks=n_tasks,
        )
        return run

    return enter


class NotFound(Exception):
    """There was nothing to take: the attack went through every step and came back with nothing."""


class Unsupported(Exception):
    """This kernel lacks what the attack is about."""


libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(number, *args):
    """Make a system call; ints go as longs, since a plain int leaves half of an argument to chance."""
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def become_root_of_a_namespace():
    """For a control: an ordinary user gets, over namespaces of its own, what root has over the machine's."""
    if os.geteuid() != 0:
        syscall(272, 0x1000_0000 | 0x0002_0000 | 0x4000_0000)  # user, mounts, network


def go_on_without_a_main_thread(rest):
    """Let another thread do the rest: the process then has no memory map of its own name any more."""
    threading.Thread(target=rest).start()
    syscall(60, 0)


def reach(number, *args):
    """Prove that a call reaches the kernel: with arguments that do no harm, any answer of its own will do.

    A filter answers EPERM, ENOSYS or (for sockets) EACCES.
    """
    try:
        return f"result {syscall(number, *args)}"
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS, errno.EACCES):
            raise
        return f"the kernel itself answered {errno.errorcode[error.errno]}"
