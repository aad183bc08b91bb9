"""The two seccomp filters, assembled as classic BPF in pure Python.

bubblewrap loads stage 1 just before it executes the runner; the runner loads stage 2 before any
participant code. Both are allow-lists: an unlisted call returns ENOSYS, a call known to be dangerous
EPERM, and a call through another architecture's entry (int 0x80, x32) kills the process. Stage 2 is
stage 1 without the calls that only the runner needs.

Reasons for the less obvious rules:

- `clone` only with glibc's thread flags: one process, so that per-process limits are totals.
  `clone3` passes its flags in memory, which a filter cannot read, so it returns ENOSYS.
- `mmap` with GROWSDOWN or SHARED|ANONYMOUS escapes RLIMIT_DATA; LOCKED and HUGETLB pin memory.
- `ioctl`, `fcntl`, `prctl`, `madvise`: the low 32 bits are compared, as the kernel reads them.
- File locks, inotify, page merging, dropping the page cache (`fadvise64`, MADV_PAGEOUT) or bypassing
  it (O_DIRECT), and the machine's free memory and disk space (`sysinfo`, `statfs`) are covert
  channels between two sandboxes. So is a wake-up at an address of a library that both have mapped:
  `futex` wakes only waiters of this process, and there are no robust lists by which a dying thread
  could wake others. Waiting on shared addresses is allowed, because `pthread_join` needs it.
- `fsync` and `msync` succeed without effect. Scratch is in memory; on a library's file they would
  let a solver flush the machine's disk.
- `sendmsg` and `recvmsg` could pass file descriptors. `getsockopt` returns only a socket's type and
  sizes: SO_PEERPIDFD would return a descriptor of the worker. Urgent bytes (MSG_OOB) have had kernel
  bugs before.

There is no maintained pure-Python library for this; libseccomp's wrappers on PyPI are outdated.
"""

import errno
import platform
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.errors import SandboxUnavailable
from harness.sandbox.host.syscalls import SYSCALLS

__all__ = ["AUDIT_ARCH_X86_64", "Instruction", "stage_1", "stage_2"]

AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x4000_0000

# struct seccomp_data: int nr; u32 arch; u64 ip; u64 args[6]
_NR, _ARCH, _ARGS = 0, 4, 16

# linux/bpf_common.h
_LD_W_ABS = 0x20
_JEQ, _JGE = 0x15, 0x35
_AND = 0x54
_RET = 0x06

_KILL_PROCESS = 0x8000_0000
_ALLOW = 0x7FFF_0000
_ERRNO = 0x0005_0000

_MAX_INSTRUCTIONS = 4096
_MAX_JUMP = 255

_SIMPLE = """
read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek creat stat
lstat fstat newfstatat statx access faccessat faccessat2 getdents64 getcwd chdir fchdir
rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat readlink readlinkat ftruncate fallocate
umask munmap mremap brk pipe pipe2 dup dup2 dup3 eventfd2
select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait rt_sigaction
rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm
getitimer setitimer restart_syscall rseq sched_yield
sched_getaffinity getcpu nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
getrusage uname getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid
getresuid getresgid getgroups getrlimit getrandom exit exit_group
""".split()  # noqa: SIM905 - a table reads better than 200 quoted names
"""Allowed whatever their arguments."""

_RUNNER_ONLY = """
execve wait4 seccomp capset setgroups setresuid setresgid setrlimit landlock_create_ruleset
landlock_add_rule landlock_restrict_self set_tid_address set_robust_list statfs fstatfs
""".split()  # noqa: SIM905 - a table reads better than 200 quoted names
"""In stage 1 only: bubblewrap's last steps and the runner's lockdown."""

_DANGEROUS = """
fork vfork execveat kill tkill rt_sigqueueinfo rt_tgsigqueueinfo waitid ptrace process_vm_readv
process_vm_writev process_madvise process_mrelease kcmp pidfd_open pidfd_getfd pidfd_send_signal setuid
setgid setreuid setregid setfsuid setfsgid setpgid setsid personality unshare setns connect accept
accept4 bind listen shutdown setsockopt sendmsg recvmsg sendmmsg recvmmsg getpeername shmget shmat
shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend
mq_timedreceive mq_notify mq_getsetattr memfd_create memfd_secret userfaultfd remap_file_pages mlock
mlock2 mlockall munlock munlockall mincore mbind set_mempolicy set_mempolicy_home_node migrate_pages
move_pages pkey_alloc pkey_free pkey_mprotect vmsplice splice tee flock inotify_init inotify_init1
inotify_add_watch inotify_rm_watch fanotify_init fanotify_mark chmod fchmod fchmodat fchmodat2 chown
fchown lchown fchownat utime utimes futimesat utimensat setxattr lsetxattr fsetxattr getxattr lgetxattr
fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr setxattrat getxattrat
listxattrat removexattrat mknod mknodat link linkat symlink symlinkat truncate name_to_handle_at
open_by_handle_at mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig
fsmount fspick mount_setattr statmount listmount quotactl quotactl_fd swapon swapoff bpf perf_event_open
io_uring_setup io_uring_enter io_uring_register io_setup io_submit io_getevents io_destroy io_cancel
io_pgetevents keyctl add_key request_key lookup_dcookie kexec_load kexec_file_load init_module
finit_module delete_module create_module reboot acct syslog sethostname setdomainname iopl ioperm
modify_ldt vhangup uselib settimeofday clock_settime clock_adjtime adjtimex setpriority ioprio_set
fadvise64 sysinfo sched_setparam sched_setscheduler sched_setattr sched_setaffinity lsm_set_self_attr sync syncfs
""".split()  # noqa: SIM905 - a table reads better than 200 quoted names
"""EPERM rather than ENOSYS: tells a program that the call is forbidden, not missing."""

_THREAD_FLAGS = 0x003D_0F00
"""VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|SETTLS|PARENT_SETTID|CHILD_CLEARTID: pthread_create's."""
_MUSL_THREAD_FLAGS = _THREAD_FLAGS | 0x0040_0000

_MAP_FORBIDDEN = 0x0100 | 0x2000 | 0x4_0000  # GROWSDOWN, LOCKED, HUGETLB
_MAP_SHARED_ANONYMOUS = 0x01 | 0x20
_PROT_GROWS = 0x0100_0000 | 0x0200_0000
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_FCNTLS = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: no lock, lease, owner or seal."""
_MADVICES = (0, 1, 2, 3, 4, 8, 14, 15, 16, 17, 22, 23)
"""The usual ones without MERGEABLE (page merging reveals another sandbox's pages), COLD and PAGEOUT."""
_O_DIRECT, _F_SETFL = 0x4000, 4
_ARCH_PRCTLS = (0x1002, 0x1003, 0x1022, 0x1023)
"""ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM (AMX in torch)."""
_PRCTLS = (3, 15, 16, 21)
"""PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP."""
_PRCTLS_RUNNER = (4, 23, 24, 38, 39, 47)
"""PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET/GET_NO_NEW_PRIVS, PR_CAP_AMBIENT."""
_AF_UNIX, _SOL_SOCKET = 1, 1
_SOCKET_OPTIONS = (3, 4, 7, 8, 30, 38, 39)
"""SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN."""
_MESSAGE_FLAGS = 0x02 | 0x20 | 0x40 | 0x80 | 0x100 | 0x4000 | 0x8000
"""MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_EOR, MSG_WAITALL, MSG_NOSIGNAL, MSG_MORE."""
_FUTEX_PRIVATE, _FUTEX_CLOCK_REALTIME = 0x80, 0x100
_FUTEX_WAITS = (0, 9)
"""FUTEX_WAIT, FUTEX_WAIT_BITSET."""
_REAPER = 1
"""Process number of bubblewrap inside the sandbox."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One classic BPF instruction (struct sock_filter)."""

    code: int
    jt: int
    jf: int
    k: int

    def pack(self) -> bytes:
        """Return the kernel's 8 bytes."""
        return struct.pack("<HBBI", self.code, self.jt, self.jf, self.k)


def _load(offset: int) -> Instruction:
    return Instruction(_LD_W_ABS, 0, 0, offset)


def _load_low(arg: int) -> Instruction:
    return _load(_ARGS + 8 * arg)


def _load_high(arg: int) -> Instruction:
    return _load(_ARGS + 8 * arg + 4)


def _ret(action: int) -> Instruction:
    return Instruction(_RET, 0, 0, action)


def _refuse(number: int) -> Instruction:
    return _ret(_ERRNO | number)


def _one_of(arg: int, values: Iterable[int], otherwise: int) -> list[Instruction]:
    """Allow if the argument's low 32 bits are one of `values`, else return `otherwise`."""
    block = [_load_low(arg)]
    for value in values:
        block += [Instruction(_JEQ, 0, 1, value), _ret(_ALLOW)]
    return [*block, _refuse(otherwise)]


def _is(arg: int, value: int) -> list[Instruction]:
    """EPERM unless the argument's low 32 bits are `value`; falls through otherwise."""
    return [_load_low(arg), Instruction(_JEQ, 1, 0, value), _refuse(errno.EPERM)]


def _none_of_bits(arg: int, bits: int) -> list[Instruction]:
    """EPERM if any of `bits` is set; falls through otherwise."""
    return [_load_low(arg), Instruction(_AND, 0, 0, bits), Instruction(_JEQ, 1, 0, 0), _refuse(errno.EPERM)]


def _is_zero(arg: int) -> list[Instruction]:
    """EPERM unless the whole 64-bit argument is zero; falls through otherwise."""
    return [
        _load_low(arg),
        Instruction(_JEQ, 1, 0, 0),
        _refuse(errno.EPERM),
        _load_high(arg),
        Instruction(_JEQ, 1, 0, 0),
        _refuse(errno.EPERM),
    ]


def _mmap() -> list[Instruction]:
    return [
        *_none_of_bits(3, _MAP_FORBIDDEN),
        _load_low(3),
        Instruction(_AND, 0, 0, _MAP_SHARED_ANONYMOUS),
        Instruction(_JEQ, 0, 1, _MAP_SHARED_ANONYMOUS),
        _refuse(errno.EPERM),
        _ret(_ALLOW),
    ]


def _fcntl() -> list[Instruction]:
    flags = _none_of_bits(2, _O_DIRECT)
    skip = Instruction(_JEQ, 0, len(flags), _F_SETFL)
    return [_load_low(1), skip, *flags, *_one_of(1, _FCNTLS, errno.EPERM)]


def _futex() -> list[Instruction]:
    """Any operation among this process's own threads; with others only waiting."""
    block = [_load_low(1), Instruction(_AND, 0, 0, _FUTEX_PRIVATE), Instruction(_JEQ, 1, 0, 0), _ret(_ALLOW)]
    block += [_load_low(1), Instruction(_AND, 0, 0, 0xFFFF_FFFF ^ _FUTEX_CLOCK_REALTIME)]
    for wait in _FUTEX_WAITS:
        block += [Instruction(_JEQ, 0, 1, wait), _ret(_ALLOW)]
    return [*block, _refuse(errno.EPERM)]


def _prlimit(*, may_write: bool) -> list[Instruction]:
    """Allow it on the process itself; after the lockdown only to read."""
    block = [*_is(0, 0), *(() if may_write else _is_zero(2))]
    return [*block, _ret(_ALLOW)]


def _rules(*, runner: bool) -> dict[str, list[Instruction]]:
    """Return, per call with argument rules, a block that always ends in a return."""
    eperm = errno.EPERM
    # A null address: only to the connected peer, as for `send` and `recv`.
    connected = [*_is_zero(4), *_none_of_bits(3, 0xFFFF_FFFF ^ _MESSAGE_FLAGS), _ret(_ALLOW)]
    done = [_ret(_ERRNO | 0)]
    return {
        "open": [*_none_of_bits(1, _O_DIRECT), _ret(_ALLOW)],
        "openat": [*_none_of_bits(2, _O_DIRECT), _ret(_ALLOW)],
        "fsync": done,
        "fdatasync": done,
        "msync": done,
        "futex": _futex(),
        "tgkill": [_load_low(0), Instruction(_JEQ, 0, 1, _REAPER), _refuse(eperm), _ret(_ALLOW)],
        "mmap": _mmap(),
        "mprotect": [*_none_of_bits(2, _PROT_GROWS), _ret(_ALLOW)],
        "madvise": _one_of(2, _MADVICES, errno.EINVAL),
        "clone": _one_of(0, (_THREAD_FLAGS, _MUSL_THREAD_FLAGS), eperm),
        "clone3": [_refuse(errno.ENOSYS)],
        "ioctl": _one_of(1, _IOCTLS, errno.ENOTTY),
        "fcntl": _fcntl(),
        "prctl": _one_of(0, _PRCTLS + (_PRCTLS_RUNNER if runner else ()), eperm),
        "arch_prctl": _one_of(0, _ARCH_PRCTLS, errno.EINVAL),
        "prlimit64": _prlimit(may_write=runner),
        "socket": [_refuse(errno.EACCES)],
        "socketpair": _one_of(0, (_AF_UNIX,), eperm),
        "getsockname": [_ret(_ALLOW)],
        "getsockopt": [*_is(1, _SOL_SOCKET), *_one_of(2, _SOCKET_OPTIONS, eperm)],
        "sendto": connected,
        "recvfrom": connected,
    }


def _assemble(allowed: Sequence[str], rules: dict[str, list[Instruction]]) -> bytes:
    program = [
        _load(_ARCH),
        Instruction(_JEQ, 1, 0, AUDIT_ARCH_X86_64),
        _ret(_KILL_PROCESS),
        _load(_NR),
        Instruction(_JGE, 0, 1, X32_BIT),
        _ret(_KILL_PROCESS),
    ]
    for name in allowed:
        program += [Instruction(_JEQ, 0, 1, SYSCALLS[name]), _ret(_ALLOW)]
    for name, block in rules.items():
        if len(block) > _MAX_JUMP:
            msg = f"seccomp rule for {name}: got {len(block)} instructions, expected at most {_MAX_JUMP}"
            raise ValueError(msg)
        program += [Instruction(_JEQ, 0, len(block), SYSCALLS[name]), *block]
    for name in _DANGEROUS:
        program += [Instruction(_JEQ, 0, 1, SYSCALLS[name]), _refuse(errno.EPERM)]
    program.append(_refuse(errno.ENOSYS))
    if len(program) > _MAX_INSTRUCTIONS:
        msg = f"seccomp program: got {len(program)} instructions, expected at most {_MAX_INSTRUCTIONS}"
        raise ValueError(msg)
    return b"".join(instruction.pack() for instruction in program)


def require_x86_64() -> None:
    """Raise unless this machine has the system-call numbers of this module.

    Raises:
        SandboxUnavailable: the machine is not x86-64.
    """
    if platform.machine() != "x86_64":
        msg = (
            f"the sandbox filters system calls by x86-64 numbers: got a {platform.machine()!r} machine; "
            "run the worker on an x86-64 Linux machine"
        )
        raise SandboxUnavailable(msg)


def stage_1() -> bytes:
    """Return the filter that bubblewrap loads (array of struct sock_filter).

    Raises:
        SandboxUnavailable: the machine is not x86-64.
    """
    require_x86_64()
    return _assemble([*_SIMPLE, *_RUNNER_ONLY], _rules(runner=True))


def stage_2() -> bytes:
    """Return the filter that the runner loads before participant code.

    Raises:
        SandboxUnavailable: the machine is not x86-64.
    """
    require_x86_64()
    return _assemble(_SIMPLE, _rules(runner=False))
