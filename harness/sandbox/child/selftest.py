"""Try what must fail inside the sandbox, before any participant code."""

import errno
import os
import resource
import signal
from collections.abc import Sequence

from harness.sandbox.child.kernel import try_syscall

__all__ = ["breaches", "writable_mounts"]

_AF_INET, _SOCK_STREAM = 2, 1
_PTRACE_ATTACH = 16
_CLONE_NEWUSER = 0x1000_0000
_REFUSED = (errno.EPERM, errno.ENOSYS)


def writable_mounts(read_only: Sequence[str]) -> list[str]:
    """Return the folders on a writable mount, as problems. Call it before stage 2, which forbids statvfs.

    Args:
        read_only: folders that must be on a read-only mount.
    """
    return [f"{path} is not on a read-only mount" for path in read_only if _is_writable(path)]


def breaches(root_entries: Sequence[str], canaries: Sequence[str], channel_fd: int) -> list[str]:
    """Return the gaps in the isolation; empty if there is none.

    Args:
        root_entries: the exact entries of `/`.
        canaries: host paths that must not exist inside.
        channel_fd: the only descriptor besides stdin, stdout and stderr.
    """
    found = [f"{name} did not fail as refused ({what})" for name, what in _calls() if what]
    if 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid()):
        found.append("still root")
    entries = sorted(os.listdir("/"))  # noqa: PTH208 - importing pathlib takes 3 ms
    if entries != sorted(root_entries):
        found.append(f"/ holds {entries}, expected {sorted(root_entries)}")
    descriptors = _descriptors()
    if descriptors != [0, 1, 2, channel_fd]:
        found.append(f"open descriptors {descriptors}, expected [0, 1, 2, {channel_fd}]")
    return found + [f"{path} can be seen" for path in canaries if _is_visible(path)]


def _calls() -> list[tuple[str, str]]:
    """Return, per forbidden call, its name and its result ("" if the filter refused it)."""
    tries = {
        "socket": try_syscall("socket", _AF_INET, _SOCK_STREAM, 0),
        "clone": try_syscall("clone", signal.SIGCHLD, 0, 0, 0, 0),
        "execve": try_syscall("execve", b"/", None, None),
        "unshare": try_syscall("unshare", _CLONE_NEWUSER),
        # Process 0 does not exist: ESRCH without the filter, and no effect.
        "ptrace": try_syscall("ptrace", _PTRACE_ATTACH, 0, 0, 0),
        "seccomp": try_syscall("seccomp", 1, 0, None),
        "capset": try_syscall("capset", None, None),
    }
    if tries["clone"] == (0, 0):
        os._exit(1)  # the fork that should not have been possible
    # Without its rule a call may fail for other reasons (EFAULT, ESRCH; EACCES when execve gets a
    # folder): only the filter's own error numbers count.
    refused = dict.fromkeys(tries, _REFUSED) | {"socket": (errno.EACCES,)}
    return [
        (name, "" if result < 0 and number in refused[name] else f"result {result}, errno {number}")
        for name, (result, number) in tries.items()
    ]


def _descriptors() -> list[int]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [fd for fd in range(soft) if _is_open(fd)]


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _is_visible(path: str) -> bool:
    try:
        os.lstat(path)
    except OSError:
        return False
    return True


def _is_writable(folder: str) -> bool:
    """Return whether the folder's mount is writable, regardless of its owner and mode."""
    return not os.statvfs(folder).f_flag & os.ST_RDONLY
