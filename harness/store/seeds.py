"""The seed that a run hands to the solver."""

import hashlib

__all__ = ["solver_seed"]


def solver_seed(round_digest: str, task: str, kshot_seed: int, repeat: int = 0) -> int:
    """Return the solver's seed for a run, 1 <= seed < 2**31.

    It depends on the round, the task and the few-shot sample alone: every attempt of a run has the
    same one, and handing in the same files again is not a new throw of the dice. Never 0, which
    pycma reads as the clock.

    Args:
        round_digest: of the round file.
        task: its name.
        kshot_seed: the few-shot sample.
        repeat: 1, 2, ... for repeats of a reference method that measure what another seed would do.
    """
    text = f"gradfree solver seed\n{round_digest}\n{task}\n{kshot_seed}"
    if repeat:
        text += f"\nrepeat {repeat}"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1
