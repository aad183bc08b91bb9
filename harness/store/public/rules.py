"""Which part of a round file everybody may read."""

from pathlib import PurePosixPath
from typing import Any

from harness.config import RoundConfig

__all__ = ["public_rules"]

_PUBLIC: dict[str, Any] = {
    "round": {"test_labels", "rotation"},  # not the seed: it draws which test rows are private
    "visibility": True,
    "model": {"source", "revision", "n_prompt_tokens", "label_token"},
    "numeric": True,
    "limits": True,
    "outputs": True,
    "task": {
        "__all__": {
            "name", "data", "label_names", "k_shot", "metric", "template", "words", "public_fraction",
            "test_limit",
        }
    },
}  # fmt: skip


def public_rules(config: RoundConfig) -> dict[str, Any]:
    """Return section -> key -> value; "task" maps names to tables. Local places are named without their path."""
    shown = config.model_dump(mode="json", include=_PUBLIC)
    shown["task"] = {task.pop("name"): task for task in shown["task"]}
    shown["model"]["source"] = _without_path(shown["model"]["source"])
    for task in shown["task"].values():
        task["data"] = _without_path(task["data"])
    return shown


def _without_path(source: str) -> str:
    kind, colon, place = source.partition(":")
    return f"{kind}:{PurePosixPath(place).name}" if colon and place.startswith("/") else source
