"""The scratch folder."""

import os

from case import RLIMITS, SECCOMP, WATCHDOG, attack, reach, syscall

_MIB = 1 << 20
_SMALL, _LARGE = {"scratch_bytes": 8 * _MIB}, {"scratch_bytes": 256 * _MIB}


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def write_one_large_file(given, model):
    with open("f", "wb") as file:
        return file.write(bytes(32 * _MIB))


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def write_many_files(given, model):
    for n in range(32):
        with open(str(n), "wb") as file:
            file.write(bytes(_MIB))
    return "32 MiB"


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def make_sparse_file(given, model):
    return os.ftruncate(os.open("f", os.O_CREAT | os.O_RDWR), 100 * _MIB) or "100 MiB"


@attack(RLIMITS, relaxed=_LARGE, **_SMALL)
def reserve_space(given, model):
    return os.posix_fallocate(os.open("f", os.O_CREAT | os.O_RDWR), 0, 100 * _MIB) or "100 MiB"


@attack(WATCHDOG, "MLE")
def make_files_without_end(given, model):
    import time

    for n in range(6000):
        open(str(n), "w").close()
    time.sleep(1)
    return "6000 files"


@attack(SECCOMP)
def make_fifo(given, model):
    return os.mkfifo("fifo") or "made"


@attack(SECCOMP, needs="root")
def make_device(given, model):
    return os.mknod("null", 0o20666, os.makedev(1, 3)) or "made"


@attack(SECCOMP)
def make_hard_link(given, model):
    open("f", "w").close()
    return os.link("f", "g") or "made"


@attack(SECCOMP)
def make_file_set_user(given, model):
    open("f", "w").close()
    return os.chmod("f", 0o4755) or "made"


@attack(SECCOMP)
def give_file_away(given, model):
    open("f", "w").close()
    return os.chown("f", os.getuid(), os.getgid()) or "given"


@attack(SECCOMP)
def change_times(given, model):
    open("f", "w").close()
    return os.utime("f") or "changed"


@attack(SECCOMP)
def attach_attribute(given, model):
    open("f", "w").close()
    return reach(188, b"f", b"user.x", b"x", 1, 0)


@attack(SECCOMP)
def flush_all_disks(given, model):
    return reach(306, -1)


def _flush(name, number, *args):
    """A disk can be made to flush through any file of it, read-only or not.

    The arguments are impossible: who says that it was done has not asked the kernel.
    """

    def run(given, model):
        try:
            syscall(number, *args)
        except OSError as error:
            return f"the kernel itself answered {error.strerror}"
        raise PermissionError(1, "said to be done, and nothing was")

    run.__name__ = name
    globals()[name] = attack(SECCOMP)(run)


_flush("flush_a_disk_through_a_library", 74, -1)
_flush("flush_data_through_a_library", 75, -1)
_flush("flush_a_mapped_library", 26, 1, 1, 4)
