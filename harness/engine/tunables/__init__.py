"""Tunables: the arrays per layer that a solver may set. One file each, one line here."""

from harness.engine.tunables.prompt import DeepPrompt

__all__ = ["TUNABLES"]

TUNABLES = {"prompt": DeepPrompt}
"""Name to the class that checks and applies the tunable."""
