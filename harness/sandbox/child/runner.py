"""The first code in the sandbox: lock down, prove it, report, then run the submission.

Executed as a script: ``python -S -s -P -B runner.py FD LIB``, FD the channel to the harness, LIB
the folder that holds the package `harness`. Nothing but the standard library and this package is
loaded before the process has given up its privileges and said so.
"""

import os
import sys

_CHANNEL_FD = 3
_EXIT_FAULT = 70


def _versions(folders: list[str]) -> dict[str, str]:
    """Name -> version of every package in sight, from its metadata folder's name."""
    versions = {"python": sys.version}
    for folder in folders:
        for entry in sorted(os.listdir(folder)):  # noqa: PTH208 - pathlib costs 3 ms of start-up
            if entry.endswith(".dist-info"):
                name, _, version = entry.removesuffix(".dist-info").partition("-")
                versions[name] = version
    return versions


def main() -> None:
    """Serve one harness over the channel, then exit."""
    given, lib = int(sys.argv[1]), sys.argv[2]
    if given != _CHANNEL_FD:
        os.dup2(given, _CHANNEL_FD, inheritable=False)
    os.closerange(_CHANNEL_FD + 1, os.sysconf("SC_OPEN_MAX"))
    sys.path.insert(0, lib)
    # Late, all three: the path is not set before, and numpy not wanted before the lockdown.
    from harness.sandbox.child import lockdown, selftest  # noqa: PLC0415
    from harness.sandbox.wire.frames import Channel, FrameType  # noqa: PLC0415

    channel = Channel(_CHANNEL_FD)
    frame = channel.receive(frozenset({FrameType.CONFIG}))
    config = frame.meta
    try:
        found: list[str] = []
        abi = 0
        if config["isolated"]:
            lockdown.drop_user(config["uid"], config["gid"])
            lockdown.forbid_dumps()
            lockdown.limit_resources(config["rlimits"])
            abi = lockdown.landlock(config["scratch"])
            found = selftest.writable_mounts(config["read_only"])
            lockdown.load_filter(bytes(frame.payload))
            found += selftest.breaches(config["root_entries"], config["canaries"], _CHANNEL_FD)
        else:
            lockdown.limit_resources(config["rlimits"])
    except (OSError, ValueError) as error:
        found = [f"lockdown: {error}"]
    if found:
        channel.send(FrameType.FAULT, 0, {"nonce": config["nonce"], "problems": found[:32]})
        sys.exit(_EXIT_FAULT)
    hello = {"nonce": config["nonce"], "landlock": abi, "versions": _versions(config["packages"])}
    channel.send(FrameType.HELLO, 0, hello)

    sys.path[1:1] = config["packages"]
    try:
        from harness.sandbox.child import work  # noqa: PLC0415
    except (ImportError, MemoryError) as error:
        problem = f"numpy and the solver contract cannot be loaded: {type(error).__name__}: {error}"
        channel.send(FrameType.FAULT, 0, {"nonce": config["nonce"], "problems": [problem[:4000]]})
        sys.exit(_EXIT_FAULT)
    channel.send(FrameType.READY, 0, {})

    order = channel.receive(frozenset({FrameType.SOLVE, FrameType.PREDICT}))
    # Last, so that a file of the submission cannot take the place of a library's module.
    sys.path.append(config["submission"])
    if order.type is FrameType.SOLVE:
        work.solve(channel, order, config["submission"])
    else:
        work.predict(channel, order, config["submission"])


if __name__ == "__main__":
    main()
