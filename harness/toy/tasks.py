"""The five tasks of the toy, read from the packaged round file."""

from typing import Final

from harness.config import load_round

__all__ = ["TASKS"]

TASKS: Final = {task.name: task for task in load_round("toy").task}
"""The five tasks by name, in the order of the official board."""
