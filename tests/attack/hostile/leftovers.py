"""What a process is born with."""

import os

from case import ENVIRONMENT, MOUNTS, NotFound, attack


@attack(ENVIRONMENT, control="bare")
def read_environment(given, model):
    for name, value in os.environ.items():
        if given["token"] in value:
            return name
    raise NotFound("no variable holds it")


@attack(MOUNTS)
def read_environment_of_the_parent(given, model):
    return len(open(f"/proc/{os.getppid()}/environ", "rb").read())


@attack(ENVIRONMENT, control="bare")
def read_inherited_descriptors(given, model):
    for fd in range(4, 1024):
        try:
            if given["token"].encode() in os.pread(fd, 1000, 0):
                return fd
        except OSError:
            continue
    raise NotFound("no descriptor leads to it")


@attack(ENVIRONMENT, control="bare")
def find_what_an_earlier_attempt_left(given, model):
    """Run twice: in memory and in the scratch folder it leaves what the second one looks for."""
    import __main__

    if hasattr(__main__, "left_behind") or os.path.exists("left-behind"):
        return "an earlier attempt's traces"
    __main__.left_behind = open("left-behind", "w")
    raise NotFound("a fresh process in a fresh folder")
