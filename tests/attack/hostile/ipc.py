"""Meeting another sandbox's process without a network."""

import ctypes
import errno
import fcntl
import mmap
import os
import termios

from case import MOUNTS, SECCOMP, Unsupported, attack, reach, syscall


@attack(SECCOMP)
def share_memory_of_system_v(given, model):
    segment = syscall(29, 0, 4096, 0o1600)
    syscall(31, segment, 0, None)
    return segment


@attack(SECCOMP)
def use_semaphores_of_system_v(given, model):
    semaphores = syscall(64, 0, 1, 0o1600)
    syscall(66, semaphores, 0, 0)
    return semaphores


@attack(SECCOMP)
def use_queue_of_system_v(given, model):
    queue = syscall(68, 0, 0o1600)
    syscall(71, queue, 0, None)
    return queue


@attack(SECCOMP)
def open_posix_queue(given, model):
    return reach(240, b"gradfree-attack-no-such-queue", 0, 0, None)


@attack(MOUNTS)
def share_memory_of_posix(given, model):
    path = f"/dev/shm/gradfree-attack-{os.getpid()}"
    open(path, "x").close()
    os.unlink(path)
    return path


@attack(SECCOMP)
def make_memory_file(given, model):
    return os.memfd_create("x")


@attack(SECCOMP)
def make_secret_memory(given, model):
    return reach(447, 0xFFFF)


@attack(SECCOMP)
def lock_file(given, model):
    return fcntl.flock(open("f", "w"), fcntl.LOCK_EX) or "locked"


@attack(SECCOMP)
def lock_range_of_file(given, model):
    return fcntl.lockf(open("f", "w"), fcntl.LOCK_EX) or "locked"


@attack(SECCOMP)
def take_lease_on_file(given, model):
    return fcntl.fcntl(open("f", "w"), fcntl.F_SETLEASE, fcntl.F_WRLCK) or "leased"


@attack(SECCOMP)
def watch_files(given, model):
    return syscall(253)


@attack(SECCOMP)
def watch_whole_filesystem(given, model):
    return reach(301, -1, 0, 0, -1, None)


@attack(MOUNTS)
def open_terminal(given, model):
    return os.openpty()


@attack(SECCOMP)
def read_memory_of_the_machine(given, model):
    """What is free moves with what others use: a signal between two solvers that run at once."""
    info = ctypes.create_string_buffer(256)
    return syscall(99, info) or info.raw[32:48].hex()


@attack(SECCOMP)
def empty_the_page_cache(given, model):
    """Which pages of a shared library are in memory is a signal, if one can also take them out."""
    return os.posix_fadvise(os.open(os.__file__, os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED) or "emptied"


@attack(SECCOMP)
def type_into_a_terminal(given, model):
    """As if somebody had typed it. The control has a terminal, which cannot be had inside."""
    if not given["control"]:
        return fcntl.ioctl(0, termios.TIOCSTI, b"x")
    _, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    try:
        return fcntl.ioctl(terminal, termios.TIOCSTI, b"x")
    except OSError as error:
        if error.errno == errno.EIO:
            raise Unsupported("this kernel has it switched off (dev.tty.legacy_tiocsti)") from error
        raise


@attack(SECCOMP)
def merge_pages(given, model):
    if given["control"] and not os.path.exists("/sys/kernel/mm/ksm"):
        raise Unsupported("this kernel has no page merging")
    return mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).madvise(12) or "merged"


@attack(SECCOMP)
def splice_pages(given, model):
    return reach(278, -1, None, 0, 0)


@attack(SECCOMP)
def read_free_space_of_the_host(given, model):
    """What is left on the disk that the interpreter lies on moves with what the worker writes."""
    return os.statvfs(os.__file__).f_bfree


@attack(SECCOMP)
def page_out_a_library(given, model):
    """The other way to empty the page cache: what the worker's own user may do to its files."""
    return _map(os.__file__).madvise(21) or "paged out"


@attack(SECCOMP)
def read_past_the_page_cache(given, model):
    return os.open(os.__file__, os.O_RDONLY | os.O_DIRECT)


@attack(SECCOMP)
def turn_the_page_cache_off(given, model):
    fd = os.open(os.__file__, os.O_RDONLY)
    return fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT) or "off"


@attack(SECCOMP)
def wake_a_waiter_at_a_library(given, model):
    """Whoever has mapped the same page of a library can wait at it: how many did is the answer."""
    return reach(202, _address(_map(os.__file__)), 1, 1, None, None, 0)


@attack(SECCOMP)
def requeue_waiters_at_a_library(given, model):
    address = _address(_map(os.__file__))
    return reach(202, address, 3, 1, 1, address, 0)


@attack(SECCOMP)
def wake_a_waiter_by_dying(given, model):
    """At the end of a thread the kernel wakes who waits at an address of the thread's choice."""
    return reach(218, _address(_map(os.__file__)))


@attack(SECCOMP)
def wake_a_waiter_by_a_robust_list(given, model):
    return reach(273, None, 0)


@attack(SECCOMP)
def wait_at_many_places(given, model):
    return reach(449, None, 0, 0, None, 0)


@attack(SECCOMP)
def order_memory_barriers_everywhere(given, model):
    return reach(324, 1, 0, 0)


_mapped = []


def _map(path):
    _mapped.append(mmap.mmap(os.open(path, os.O_RDONLY), 4096, mmap.MAP_SHARED, mmap.PROT_READ))
    return _mapped[-1]


def _address(view):
    import numpy as np

    return np.frombuffer(view, np.uint8).ctypes.data
