"""Memory that a limit might forget."""

import ctypes
import mmap
import os
import socket
import sys
import time

from case import GROUPS, RLIMITS, SECCOMP, WATCHDOG, attack, go_on_without_a_main_thread, libc, reach

_MIB = 1 << 20
_SMALL, _LARGE = {"memory_bytes": 200 * _MIB}, {"memory_bytes": 1 << 30}


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def grow_one_array(given, model):
    return len(bytearray(300 * _MIB))


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def grow_many_arrays(given, model):
    held = [bytearray(_MIB) for _ in range(300)]
    return len(held)


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def map_private_pages(given, model):
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return len(mmap.mmap(-1, 300 * _MIB, flags))


@attack(RLIMITS, relaxed={"memory_bytes": 16 << 30}, **_SMALL)
def reserve_address_space(given, model):
    """Never touched, so never resident; the kernel keeps books on it all the same."""
    return len(mmap.mmap(-1, 24 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ))


@attack(RLIMITS, relaxed=_LARGE, **_SMALL, solver_s=200.0, cpu_s=60.0)
def recurse_without_end(given, model):
    sys.setrecursionlimit(1 << 30)

    def down(n):
        return n and down(n - 1)

    try:
        return down(2_000_000)
    except SystemError as error:  # what this interpreter makes of a frame that cannot be allocated
        raise MemoryError from error


@attack(SECCOMP)
def map_shared_pages(given, model):
    return len(mmap.mmap(-1, 4096))


@attack(SECCOMP)
def map_growing_stack(given, model):
    return reach(9, 0, 4096, 3, 0x122, -1, 0)


@attack(SECCOMP)
def map_huge_pages(given, model):
    return reach(9, 0, 2 * _MIB, 3, 0x4_0022, -1, 0)


@attack(SECCOMP)
def map_locked_pages(given, model):
    return reach(9, 0, 4096, 3, 0x2022, -1, 0)


@attack(SECCOMP)
def lock_pages(given, model):
    return reach(149, 0, 0)


@attack(SECCOMP)
def lock_everything(given, model):
    return reach(151, 0xFF)


@attack(WATCHDOG, "MLE", relaxed={**_LARGE, "scratch_bytes": 64 * _MIB}, **_SMALL, scratch_bytes=64 * _MIB)
def map_one_file_many_times(given, model):
    """Pages of a scratch file: not in the data segment, but in the resident set, once per mapping."""
    return _map_many_times()


@attack(WATCHDOG, "MLE", relaxed={**_LARGE, "scratch_bytes": 64 * _MIB}, **_SMALL, scratch_bytes=64 * _MIB)
def map_one_file_without_a_main_thread(given, model):
    def rest():
        print("GOT", _map_many_times(), flush=True)
        os._exit(0)

    go_on_without_a_main_thread(rest)


@attack(WATCHDOG, "MLE", relaxed=_LARGE, **_SMALL)
def make_read_only_pages_writable(given, model):
    """With no address space left the kernel forgets to ask whether the data segment is full.

    The resource limit of memory does not hold then; that of address space does, and the watchdog.
    """
    flags, size = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 300 * _MIB
    libc.mmap.restype = ctypes.c_void_p
    first = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, flags, -1, 0)
    while libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, flags, -1, 0) != ctypes.c_void_p(-1).value:
        pass
    if libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_WRITE):
        raise MemoryError
    ctypes.memset(first, 1, size)
    time.sleep(1)
    return f"{size} bytes"


def _map_many_times():
    with open("f", "wb") as file:
        file.write(bytes(40 * _MIB))
    fd = os.open("f", os.O_RDONLY)
    held = []
    for _ in range(8):
        held.append(mmap.mmap(fd, 40 * _MIB, mmap.MAP_SHARED, mmap.PROT_READ))
        held[-1][:: mmap.PAGESIZE]
    time.sleep(1)
    return len(held)


@attack(RLIMITS)
def hoard_pipes(given, model):
    return len([os.pipe() for _ in range(200)])


@attack(RLIMITS)
def hoard_sockets(given, model):
    return len([socket.socketpair() for _ in range(200)])


@attack(RLIMITS)
def hoard_descriptors(given, model):
    return len([os.open("/dev/null", os.O_RDONLY) for _ in range(400)])


@attack(SECCOMP)
def widen_pipe(given, model):
    import fcntl

    return fcntl.fcntl(os.pipe()[1], 1031, 1 << 17)


@attack(GROUPS, "MLE", controller="memory", memory_bytes=200 * _MIB, scratch_bytes=_MIB)
def fill_memory_of_the_kernel(given, model):
    """Socket buffers and page tables beside a full data segment: in nobody's resident set."""
    pairs = [socket.socketpair() for _ in range(120)]
    for end in (end for pair in pairs for end in pair):
        end.setblocking(False)
        try:
            while True:
                end.send(bytes(4096))
        except BlockingIOError:
            continue
    size = 15 << 30
    view = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
    for at in range(0, size, 2 * _MIB):  # one page of the table each; what is read is the page of zeros
        view[at]
    held = []
    try:
        while True:
            held.append(bytearray(_MIB))
    except MemoryError:
        return len(held)
