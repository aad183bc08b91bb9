"""Drop every privilege, in an order in which each step still has the ones that it needs."""

import ctypes
import os
import resource
import struct
from collections.abc import Mapping, Sequence

from harness.sandbox.child.kernel import syscall, try_syscall

__all__ = ["drop_user", "forbid_dumps", "landlock", "limit_resources", "load_filter"]

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1

_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_FS_EXECUTE, _FS_WRITE_FILE, _FS_READ_FILE, _FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FS_REMOVE_DIR, _FS_REMOVE_FILE = 1 << 4, 1 << 5
_FS_MAKE_DIR, _FS_MAKE_REG = 1 << 7, 1 << 8
_FS_REFER, _FS_TRUNCATE, _FS_IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FS_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FS_RIGHTS_LATEST = (1 << 16) - 1
_NET_RIGHTS = 0b11  # bind and connect TCP, ABI 4
_SCOPES = 0b11  # abstract unix sockets and signals, ABI 6
_ABI_NET, _ABI_SCOPE = 4, 6


def drop_user(uid: int | None, gid: int | None) -> None:
    """Switch permanently to the sandbox's user (root mode), and drop all capabilities from every set.

    Raises:
        OSError: the kernel refused a step.
    """
    for capability in range(64):
        present, _ = try_syscall("prctl", _PR_CAPBSET_READ, capability, 0, 0, 0)
        if present < 0:
            break
        # Without CAP_SETPCAP (user mode) bubblewrap has already emptied the set.
        if present == 1:
            syscall("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None and gid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    syscall("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0))
    syscall("capset", header, ctypes.create_string_buffer(24))


def forbid_dumps() -> None:
    """Disable core dumps, ptrace attachment and new privileges.

    Raises:
        OSError: the kernel refused.
    """
    syscall("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    syscall("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_resources(limits: Mapping[str, Sequence[int]]) -> None:
    """Set each `RLIMIT_<name>` to its (soft, hard) pair.

    Raises:
        OSError: the kernel refused.
    """
    for name, (soft, hard) in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        # A tighter limit stays: only root could raise it.
        _, ceiling = resource.getrlimit(number)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)  # noqa: PLW2901
        resource.setrlimit(number, (soft, hard))


def landlock(scratch: str) -> int:
    """Restrict files and sockets by Landlock, independently of the mount namespace.

    Returns:
        The kernel's ABI number; 0 without Landlock, where the other layers suffice.

    Raises:
        OSError: the kernel has Landlock and refused a step.
    """
    abi, _ = try_syscall("landlock_create_ruleset", None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    if abi < 1:
        return 0
    handled = _FS_RIGHTS_BY_ABI.get(abi, _FS_RIGHTS_LATEST)
    fields = [handled]
    if abi >= _ABI_NET:
        fields.append(_NET_RIGHTS)
    if abi >= _ABI_SCOPE:
        fields.append(_SCOPES)
    attributes = struct.pack(f"<{len(fields)}Q", *fields)
    ruleset = syscall(
        "landlock_create_ruleset", ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0
    )
    read = _FS_READ_FILE | _FS_READ_DIR
    write = (
        _FS_WRITE_FILE
        | _FS_REMOVE_DIR
        | _FS_REMOVE_FILE
        | _FS_MAKE_DIR
        | _FS_MAKE_REG
        | (_FS_TRUNCATE | _FS_REFER) & handled
    )
    for path, rights in (("/", read), (scratch, read | write), ("/dev/null", _FS_READ_FILE | _FS_WRITE_FILE)):
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, parent), 12)
        syscall("landlock_add_rule", ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        os.close(parent)
    syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)
    return abi


def load_filter(program: bytes) -> None:
    """Load seccomp stage 2 for every thread of the process.

    Raises:
        OSError: the kernel refused.
    """

    class Program(ctypes.Structure):
        """struct sock_fprog."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    code = ctypes.create_string_buffer(program, len(program))
    fprog = Program(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))
    result = syscall("seccomp", _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(fprog))
    if result:
        msg = f"the filter could not be applied to thread {result}"
        raise OSError(msg)
