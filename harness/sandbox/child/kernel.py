"""Raw system calls through libc that the standard library does not offer."""

import ctypes
import os

__all__ = ["NUMBERS", "syscall", "try_syscall"]

NUMBERS = {
    "socket": 41,
    "clone": 56,
    "execve": 59,
    "exit": 60,
    "ptrace": 101,
    "capset": 126,
    "prctl": 157,
    "unshare": 272,
    "seccomp": 317,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
"""x86-64 numbers; a unit test compares them with the full table, which does not exist inside."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def try_syscall(name: str, *args: object) -> tuple[int, int]:
    """Make a system call; return (result, errno). Ints are passed as C longs."""
    ctypes.set_errno(0)
    passed = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = int(_libc.syscall(ctypes.c_long(NUMBERS[name]), *passed))
    return result, ctypes.get_errno()


def syscall(name: str, *args: object) -> int:
    """Make a system call that must succeed.

    Raises:
        OSError: the call failed; the message names it.
    """
    result, number = try_syscall(name, *args)
    if result < 0:
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
