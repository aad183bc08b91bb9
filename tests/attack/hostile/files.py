"""Reading and writing what belongs to others."""

import os
import sys

from case import MOUNTS, SECCOMP, attack


@attack(MOUNTS)
def read_labels(given, model):
    return open(given["labels"]).read()


@attack(MOUNTS)
def read_labels_by_dots(given, model):
    return open("../" * 40 + given["labels"].lstrip("/")).read()


@attack(MOUNTS)
def stat_labels(given, model):
    return os.stat(given["labels"]).st_size


@attack(MOUNTS)
def list_arena(given, model):
    return os.listdir(given["arena"])


@attack(MOUNTS)
def read_sealed_database(given, model):
    return open(given["database"], "rb").read(16)


@attack(MOUNTS)
def write_sealed_database(given, model):
    return open(given["database"], "r+b").fileno()


@attack(MOUNTS)
def append_to_ledger(given, model):
    # Opened for appending, nothing written: the control must leave the ledger as it was.
    return open(given["ledger"], "a").fileno()


@attack(MOUNTS)
def read_other_submission(given, model):
    return open(given["other"]).read()


@attack(MOUNTS)
def replace_other_submission(given, model):
    # In the control the name exists as a folder: the kernel gets as far as that.
    try:
        os.rename("none", given["other"])
    except FileNotFoundError:
        os.stat(given["other"])
        return "the target can be named"


@attack(MOUNTS)
def read_scoring_code(given, model):
    return open(os.path.join(given["repository"], "harness/session/attempt.py")).read(20)


@attack(MOUNTS)
def read_model_weights(given, model):
    return open(os.path.join(given["repository"], "harness/toy/weights/model.safetensors"), "rb").read(8)


@attack(MOUNTS)
def read_passwd(given, model):
    return open("/etc/passwd").read(4)


@attack(MOUNTS, needs="root")
def read_shadow(given, model):
    return len(open("/etc/shadow").read())


@attack(MOUNTS)
def read_own_maps(given, model):
    return open("/proc/self/maps").read(10)


@attack(MOUNTS)
def read_mount_table(given, model):
    return open("/proc/self/mountinfo").read(10)


@attack(MOUNTS)
def write_own_memory_file(given, model):
    return open("/proc/self/mem", "r+b").fileno()


@attack(MOUNTS)
def read_parent_command_line(given, model):
    return open(f"/proc/{os.getppid()}/cmdline").read(10)


@attack(MOUNTS, needs="root")
def open_core_pattern(given, model):
    return open("/proc/sys/kernel/core_pattern", "r+").fileno()


@attack(MOUNTS)
def reach_through_own_root_link(given, model):
    return os.listdir("/proc/self/root")


@attack(SECCOMP)
def read_labels_by_symbolic_link(given, model):
    os.symlink(given["labels"], "link")
    return open("link").read()


@attack(MOUNTS)
def write_own_submission(given, model):
    path = os.path.join(os.path.dirname(sys.modules["solver"].__file__), "planted.py")
    return open(path, "w").write("x")


@attack(MOUNTS, needs="root")
def write_standard_library(given, model):
    return open(os.__file__, "r+").fileno()


@attack(MOUNTS, needs="root")
def write_runner(given, model):
    import harness.sandbox.child.runner

    return open(harness.sandbox.child.runner.__file__, "r+").fileno()


@attack(MOUNTS)
def write_to_temporary_folder_of_the_host(given, model):
    path = f"/tmp/gradfree-attack-{os.getpid()}"
    open(path, "x").close()
    os.unlink(path)
    return path
