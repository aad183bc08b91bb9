"""More processes, other users, other processes' limits."""

import ctypes
import os
import resource
import threading

from case import GROUPS, RLIMITS, SECCOMP, attack, reach, syscall


@attack(SECCOMP)
def fork(given, model):
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1]


@attack(SECCOMP)
def fork_by_clone(given, model):
    child = syscall(56, 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1]


@attack(SECCOMP)
def fork_many(given, model):
    children = []
    for _ in range(20):
        child = os.fork()
        if child == 0:
            os._exit(0)
        children.append(child)
    return [os.waitpid(child, 0)[1] for child in children]


@attack(SECCOMP)
def leave_a_daemon(given, model):
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(0)
    return os.waitpid(child, 0)[1]


@attack(SECCOMP)
def share_memory_without_thread(given, model):
    # CLONE_VM without CLONE_THREAD: a process that per-process limits would not count.
    return reach(56, 0x0001_0000, 0, 0, 0, 0)


@attack(RLIMITS)
def start_threads_without_end(given, model):
    over = threading.Event()
    try:
        for _ in range(100):
            threading.Thread(target=over.wait, args=(20,), daemon=True).start()
    finally:
        over.set()
    return "100 threads"


@attack(GROUPS, controller="pids", n_tasks=10)
def start_threads_beyond_the_group(given, model):
    over = threading.Event()
    try:
        for _ in range(30):
            threading.Thread(target=over.wait, args=(20,), daemon=True).start()
    finally:
        over.set()
    return "30 threads"


@attack(SECCOMP)
def signal_everybody(given, model):
    return os.kill(-1, 0) or "reached"


@attack(SECCOMP)
def signal_parent(given, model):
    return os.kill(os.getppid(), 0) or "reached"


@attack(SECCOMP, needs="root")
def signal_process_1(given, model):
    """By the one call that a solver has for signals to itself."""
    return syscall(234, 1, 1, 0) or "reached"


@attack(SECCOMP)
def queue_signal_to_parent(given, model):
    return reach(129, os.getppid(), 0, None)


@attack(SECCOMP)
def become_another_user(given, model):
    return reach(117, -1, -1, -1)


@attack(SECCOMP)
def become_root(given, model):
    return reach(105, os.getuid())


@attack(SECCOMP)
def change_groups(given, model):
    return reach(119, -1, -1, -1)


@attack(SECCOMP)
def take_capabilities(given, model):
    return reach(126, None, None)


@attack(SECCOMP)
def read_limits_of_parent(given, model):
    return reach(302, os.getppid(), 7, None, (ctypes.c_uint64 * 2)())


@attack(SECCOMP)
def change_own_limit(given, model):
    return reach(302, 0, 7, (ctypes.c_uint64 * 2)(*resource.getrlimit(resource.RLIMIT_NOFILE)), None)


@attack(SECCOMP)
def allow_memory_dumps(given, model):
    return syscall(157, 4, 1, 0, 0, 0) or "dumpable"


@attack(SECCOMP)
def outlive_the_worker(given, model):
    return reach(157, 1, 0, 0, 0, 0)


@attack(SECCOMP)
def start_new_session(given, model):
    return reach(109, -1, -1)


@attack(SECCOMP)
def change_priority(given, model):
    return reach(141, 0, 0, os.getpriority(os.PRIO_PROCESS, 0) if given["control"] else 0)


@attack(SECCOMP)
def choose_processor(given, model):
    return reach(203, 0, 0, None)


@attack(SECCOMP)
def choose_scheduler(given, model):
    return reach(144, 0, 0, None)


@attack(SECCOMP)
def make_timer(given, model):
    return reach(222, 99, None, None)
