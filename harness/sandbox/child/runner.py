"""The first code in the sandbox: lock down, test that, report, then run the submission.

Executed as a script: ``python -S -s -P -B runner.py FD LIB``, where FD is the channel to the harness
and LIB the folder of the package `harness`. Until the process has dropped its privileges and
reported that, it imports only the standard library and this package.
"""

import os
import sys

_CHANNEL_FD = 3
_EXIT_FAULT = 70


def _versions(folders: list[str]) -> dict[str, str]:
    """Return name -> version of every package, from its metadata folder's name."""
    versions = {"python": sys.version}
    for folder in folders:
        for entry in sorted(os.listdir(folder)):  # noqa: PTH208 - importing pathlib takes 3 ms
            if entry.endswith(".dist-info"):
                name, _, version = entry.removesuffix(".dist-info").partition("-")
                versions[name] = version
    return versions


def main() -> None:
    """Serve one run over the channel, then exit."""
    given, lib = int(sys.argv[1]), sys.argv[2]
    if given != _CHANNEL_FD:
        os.dup2(given, _CHANNEL_FD, inheritable=False)
    os.closerange(_CHANNEL_FD + 1, os.sysconf("SC_OPEN_MAX"))
    sys.path.insert(0, lib)
    # Imported here, because the path is set only now; numpy follows after the lockdown.
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
        problem = f"numpy and the solver contract cannot be imported: {type(error).__name__}: {error}"
        channel.send(FrameType.FAULT, 0, {"nonce": config["nonce"], "problems": [problem[:4000]]})
        sys.exit(_EXIT_FAULT)
    channel.send(FrameType.READY, 0, {})

    order = channel.receive(frozenset({FrameType.SOLVE, FrameType.PREDICT}))
    # Last in the path, so that a file of the submission cannot replace a library's module.
    sys.path.append(config["submission"])
    if order.type is FrameType.SOLVE:
        work.solve(channel, order, config["submission"])
    else:
        work.predict(channel, order, config["submission"])


if __name__ == "__main__":
    main()
