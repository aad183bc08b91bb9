"""Running another program."""

import os
import sys

from case import SECCOMP, attack, reach


def _execute(path, *args):
    """In a child process where there can be one, otherwise in place of this one: then nothing is printed."""
    try:
        child = os.fork()
    except OSError:
        os.execv(path, [path, *args])
    if child == 0:
        try:
            os.execv(path, [path, *args])
        finally:
            os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 99:
        raise OSError(1, "not executed")
    return f"exit status {status}"


@attack(SECCOMP)
def run_shell(given, model):
    return _execute("/bin/sh", "-c", "true")


@attack(SECCOMP)
def run_interpreter(given, model):
    return _execute(sys.executable, "-S", "-c", "")


@attack(SECCOMP)
def run_through_loader(given, model):
    return _execute("/lib64/ld-linux-x86-64.so.2", "--list", sys.executable)


@attack(SECCOMP)
def run_copy_from_scratch(given, model):
    with open(os.open("copy", os.O_CREAT | os.O_WRONLY, 0o755), "wb") as copy:
        copy.write(b"#!" + sys.executable.encode() + b" -S\n")
    return _execute("./copy")


@attack(SECCOMP)
def run_memory_file(given, model):
    fd = os.memfd_create("x", 0)
    os.write(fd, b"#!/bin/sh\n")
    return _execute(f"/proc/self/fd/{fd}")


@attack(SECCOMP)
def run_by_descriptor(given, model):
    return reach(322, -1, b"", None, None, 0x1000)


@attack(SECCOMP)
def run_by_posix_spawn(given, model):
    return os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "true"], {}), 0)[1]
