"""The seed that a run gives to the solver."""

import hashlib

__all__ = ["solver_seed"]


def solver_seed(round_digest: str, task: str, kshot_seed: int, repeat: int = 0) -> int:
    """Return the solver seed of a run, 1 <= seed < 2**31.

    It depends on the round, the task and the k-shot seed alone: every attempt of a run has the same one,
    and handing in the same files again draws no new one. Never 0, which pycma reads as the clock.

    Args:
        round_digest: SHA-256 (hex) of the rules.
        task: its name.
        kshot_seed: the draw of examples.
        repeat: 1, 2, ... for repeats of a baseline that measure the effect of the solver seed.
    """
    text = f"gradfree solver seed\n{round_digest}\n{task}\n{kshot_seed}"
    if repeat:
        text += f"\nrepeat {repeat}"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1
