"""Check from outside that a solver process is isolated."""

from pathlib import Path

from harness.errors import SandboxUnavailable

__all__ = ["check_isolation", "only_child"]

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
_CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_N_FILTERS = 2


def only_child(pid: int) -> int:
    """Return the only child of the sandbox's process 1: the solver process.

    Raises:
        SandboxUnavailable: there is not exactly one child.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError as error:
        msg = (
            f"process {pid} of the sandbox has ended, or the kernel lacks /proc/PID/task/TID/children "
            "(CONFIG_PROC_CHILDREN)"
        )
        raise SandboxUnavailable(msg) from error
    if len(children) != 1:
        msg = f"process {pid} of the sandbox has the children {children}, expected one"
        raise SandboxUnavailable(msg)
    return int(children[0])


def check_isolation(pid: int, uid: int, *, user_namespace: bool) -> None:
    """Require separate namespaces, both filters, no new privileges, no capability, and the user.

    Args:
        pid: the solver process.
        uid: the expected user number, in this process's user namespace.
        user_namespace: whether it must have its own user namespace.

    Raises:
        SandboxUnavailable: a requirement is not met; the message lists all of them.
    """
    status = _status(pid)
    wrong = [
        f"{name} is {status.get(name, 'missing')!r}, expected {expected!r}"
        for name, expected in (
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            # This process may already have a container's filters.
            ("Seccomp_filters", str(_N_FILTERS + int(_status("self").get("Seccomp_filters", "0")))),
            ("Uid", "\t".join([str(uid)] * 4)),
            *((name, "0" * 16) for name in _CAPABILITY_SETS),
        )
        if status.get(name) != expected
    ]
    wrong += [
        f"the {name} namespace is shared with the host"
        for name in (*_NAMESPACES, *(("user",) if user_namespace else ()))
        if _namespace(pid, name) == _namespace("self", name)
    ]
    if wrong:
        msg = f"the sandbox is not closed: {'; '.join(wrong)}; run `gradfree doctor`"
        raise SandboxUnavailable(msg)


def _status(pid: int | str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError) as error:
        msg = f"process {pid} of the sandbox ended during start-up"
        raise SandboxUnavailable(msg) from error
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _namespace(pid: int | str, name: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{name}").readlink())
    except OSError as error:
        msg = f"the {name} namespace of process {pid} cannot be read: {error.strerror}"
        raise SandboxUnavailable(msg) from error
