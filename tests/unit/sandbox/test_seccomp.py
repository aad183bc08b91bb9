"""The filters, run on an interpreter of classic BPF that knows nothing of how they were built."""

import errno
import re
import struct
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox.child.kernel import NUMBERS
from harness.sandbox.host import seccomp
from harness.sandbox.host.syscalls import SYSCALLS

ALLOW, KILL, DONE = "allow", "kill", "said to be done"
X86_64 = 0xC000003E
THREAD = 0x3D0F00


def decide(program, name_or_nr, *args, arch=X86_64):
    """Return "allow", "kill", what stands for success without the call, or the errno's name."""
    number = SYSCALLS[name_or_nr] if isinstance(name_or_nr, str) else name_or_nr
    padded = [arg & 0xFFFF_FFFF_FFFF_FFFF for arg in args] + [0] * (6 - len(args))
    data = struct.pack("<IIQ6Q", number, arch, 0, *padded)
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator, at = 0, 0
    while True:
        op, jt, jf, k = code[at]
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif op == 0x54:
            accumulator &= k
        elif op == 0x15:
            at += jt if accumulator == k else jf
        elif op == 0x35:
            at += jt if accumulator >= k else jf
        elif op == 0x06:
            if k == 0x7FFF0000:
                return ALLOW
            if k == 0x50000:
                return DONE
            return KILL if k == 0x80000000 else errno.errorcode[k & 0xFFFF]
        else:
            pytest.fail(f"unknown instruction {op:#x}")


@pytest.fixture(scope="module")
def stage_1():
    return seccomp.stage_1()


@pytest.fixture(scope="module")
def stage_2():
    return seccomp.stage_2()


@pytest.mark.parametrize("name", ["read", "write", "openat", "futex", "exit_group", "getrandom", "munmap"])
def test_filter_everyday_call_is_allowed(stage_1, stage_2, name):
    assert decide(stage_1, name) == decide(stage_2, name) == ALLOW


@pytest.mark.parametrize(
    "name",
    [
        "execve",
        "seccomp",
        "capset",
        "setresuid",
        "setresgid",
        "setgroups",
        "setrlimit",
        "landlock_restrict_self",
        "statfs",
        "fstatfs",
        "set_tid_address",
        "set_robust_list",
    ],
)
def test_filter_runner_call_is_allowed_in_stage_1_alone(stage_1, stage_2, name):
    assert decide(stage_1, name) == ALLOW
    assert decide(stage_2, name) in ("EPERM", "ENOSYS")


@pytest.mark.parametrize(
    "name",
    [
        "fork",
        "vfork",
        "execveat",
        "ptrace",
        "process_vm_readv",
        "kcmp",
        "unshare",
        "setns",
        "connect",
        "bind",
        "sendmsg",
        "recvmsg",
        "shmget",
        "mq_open",
        "memfd_create",
        "userfaultfd",
        "mlock",
        "flock",
        "inotify_init1",
        "chmod",
        "setxattr",
        "mknod",
        "link",
        "symlink",
        "mount",
        "pivot_root",
        "chroot",
        "bpf",
        "perf_event_open",
        "io_uring_setup",
        "keyctl",
        "init_module",
        "reboot",
        "sched_setaffinity",
        "personality",
        "kill",
    ],
)
def test_filter_dangerous_call_is_refused(stage_1, stage_2, name):
    assert decide(stage_1, name) == decide(stage_2, name) == "EPERM"


def test_filter_unknown_call_does_not_exist(stage_2):
    assert decide(stage_2, 9999) == decide(stage_2, "clone3") == decide(stage_2, "openat2") == "ENOSYS"


@pytest.mark.parametrize(("number", "arch"), [(0, 0x40000003), (0x40000000 | 39, X86_64), (0xFFFFFFFF, X86_64)])
def test_filter_foreign_entry_is_killed(stage_1, stage_2, number, arch):
    assert decide(stage_1, number, arch=arch) == decide(stage_2, number, arch=arch) == KILL


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("clone", THREAD), ALLOW),
        (("clone", 17), "EPERM"),  # SIGCHLD: fork
        (("clone", THREAD | 0x10000000), "EPERM"),  # NEWUSER
        (("clone", THREAD & ~0x10000), "EPERM"),  # no THREAD
        (("mmap", 0, 4096, 3, 0x22), ALLOW),
        (("mmap", 0, 4096, 5, 0x02), ALLOW),
        (("mmap", 0, 4096, 3, 0x21), "EPERM"),  # SHARED|ANONYMOUS
        (("mmap", 0, 4096, 3, 0x122), "EPERM"),  # GROWSDOWN
        (("mmap", 0, 4096, 3, 0x2022), "EPERM"),  # LOCKED
        (("mmap", 0, 4096, 3, 0x40022), "EPERM"),  # HUGETLB
        (("mmap", 0, 4096, 3, 0x01), ALLOW),  # a shared file mapping
        (("mprotect", 0, 4096, 0x01000003), "EPERM"),
        (("mprotect", 0, 4096, 7), ALLOW),
        (("madvise", 0, 4096, 12), "EINVAL"),
        (("madvise", 0, 4096, 4), ALLOW),
        (("ioctl", 0, 0x5401), ALLOW),
        (("ioctl", 0, 0x5412), "ENOTTY"),  # TIOCSTI
        (("ioctl", 0, (1 << 32) | 0x5412), "ENOTTY"),
        (("fcntl", 0, 6), "EPERM"),  # F_SETLK
        (("fcntl", 0, 1031), "EPERM"),  # F_SETPIPE_SZ
        (("fcntl", 0, 1030), ALLOW),
        (("prctl", 4, 1), "EPERM"),  # dumpable
        (("prctl", 15), ALLOW),
        (("prlimit64", 0, 7, 0), ALLOW),
        (("prlimit64", 0, 7, 0x1000), "EPERM"),
        (("prlimit64", 0, 7, 1 << 40), "EPERM"),
        (("prlimit64", 5, 7, 0), "EPERM"),
        (("socket", 2, 1, 0), "EACCES"),
        (("socketpair", 1), ALLOW),
        (("socketpair", 2), "EPERM"),
        (("sendto", 3, 0, 0, 0, 0), ALLOW),
        (("sendto", 3, 0, 0, 0, 1), "EPERM"),
        (("sendto", 3, 0, 0, 0, 1 << 32), "EPERM"),
        (("sendto", 3, 0, 0, 0x4040, 0), ALLOW),  # DONTWAIT|NOSIGNAL
        (("sendto", 3, 0, 0, 1, 0), "EPERM"),  # OOB
        (("recvfrom", 3, 0, 0, 0x102, 0), ALLOW),  # PEEK|WAITALL
        (("recvfrom", 3, 0, 0, 1, 0), "EPERM"),  # OOB
        (("recvfrom", 3, 0, 0, 0x2000, 0), "EPERM"),  # ERRQUEUE
        (("getsockopt", 3, 1, 3), ALLOW),  # SO_TYPE
        (("getsockopt", 3, 1, 17), "EPERM"),  # SO_PEERCRED
        (("getsockopt", 3, 1, 77), "EPERM"),  # SO_PEERPIDFD
        (("getsockopt", 3, 6, 3), "EPERM"),  # of TCP
        (("open", 0, 0x80000), ALLOW),
        (("open", 0, 0x4000), "EPERM"),  # O_DIRECT
        (("openat", -100, 0, 0x80241), ALLOW),
        (("openat", -100, 0, 0x4000), "EPERM"),
        (("fcntl", 0, 4, 0x800), ALLOW),  # O_NONBLOCK
        (("fcntl", 0, 4, 0x4800), "EPERM"),  # O_NONBLOCK|O_DIRECT
        (("fcntl", 0, 1030, 0x4000), ALLOW),  # the number of a descriptor
        (("fsync", 3), DONE),
        (("fdatasync", 3), DONE),
        (("msync", 0, 4096, 4), DONE),
        (("madvise", 0, 4096, 20), "EINVAL"),  # COLD
        (("madvise", 0, 4096, 21), "EINVAL"),  # PAGEOUT
        (("futex", 0, 0x81), ALLOW),  # WAKE|PRIVATE
        (("futex", 0, 0x189), ALLOW),  # WAIT_BITSET|PRIVATE|CLOCK_REALTIME
        (("futex", 0, 0x109), ALLOW),  # WAIT_BITSET|CLOCK_REALTIME: pthread_join
        (("futex", 0, 0), ALLOW),  # WAIT
        (("futex", 0, 1), "EPERM"),  # WAKE
        (("futex", 0, 0x10A), "EPERM"),  # WAKE_BITSET|CLOCK_REALTIME
        (("futex", 0, 4), "EPERM"),  # CMP_REQUEUE
        (("futex", 0, 6), "EPERM"),  # LOCK_PI
        (("futex_waitv", 0, 1), "ENOSYS"),
        (("membarrier", 1), "ENOSYS"),
        (("tgkill", 2, 2, 6), ALLOW),
        (("tgkill", 1, 1, 9), "EPERM"),
        (("arch_prctl", 0x1012), "EINVAL"),
    ],
)
def test_filter_argument_rules(stage_2, call, expected):
    assert decide(stage_2, *call) == expected


def test_filter_runner_may_write_its_own_limits_only(stage_1):
    assert decide(stage_1, "prlimit64", 0, 7, 0x1000) == ALLOW
    assert decide(stage_1, "prlimit64", 5, 7, 0x1000) == "EPERM"


def test_filter_every_jump_stays_inside(stage_1, stage_2):
    for program in (stage_1, stage_2):
        code = list(struct.iter_unpack("<HBBI", program))
        assert len(code) < 4096
        assert all(at + 1 + max(jt, jf) < len(code) for at, (op, jt, jf, _) in enumerate(code) if op in (0x15, 0x35))


def test_filter_other_machine_is_refused(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(SandboxUnavailable, match="aarch64"):
        seccomp.stage_1()


def test_syscalls_agree_with_this_machines_header():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("NOT COMPARED: the kernel's header is not installed (linux-libc-dev)")
    listed = {name: int(nr) for name, nr in re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text())}
    assert {name: SYSCALLS.get(name) for name in listed} == listed


def test_child_numbers_agree_with_the_table():
    assert {name: SYSCALLS[name] for name in NUMBERS} == NUMBERS
