"""What of a round file everybody may read."""

from pathlib import PurePosixPath
from typing import Any

from harness.config import RoundConfig

__all__ = ["public_rules"]

_PUBLIC_RULES = {
    "round": ("test_labels", "rotation"),
    "visibility": ("scores", "own_scores", "curves", "logs"),
    "model": ("source", "revision", "n_prompt_tokens", "label_token"),
    "numeric": ("device", "dtype", "threads", "chunk_tokens"),
    "limits": (
        "solver_s",
        "cpu_s",
        "predict_s",
        "memory_bytes",
        "scratch_bytes",
        "log_bytes",
        "state_bytes",
        "submission_bytes",
        "max_ensemble",
        "max_wordings",
        "max_bases",
    ),
    "outputs": ("allowed",),
}
_PUBLIC_TASK_RULES = (
    "data",
    "label_names",
    "k_shot",
    "metric",
    "template",
    "words",
    "public_fraction",
    "test_limit",
)
"""What of a round file everybody may read. Not the seed: it draws which test rows are private."""


def public_rules(config: RoundConfig) -> dict[str, Any]:
    """Return the part of a round file that everybody may read; local places are named without their path."""
    rules = config.model_dump(mode="json")
    shown: dict[str, Any] = {
        section: {key: rules[section][key] for key in keys if key in rules[section]}
        for section, keys in _PUBLIC_RULES.items()
        if section in rules
    }
    shown["task"] = {
        task["name"]: {key: task[key] for key in _PUBLIC_TASK_RULES if key in task}
        for task in rules.get("task", ())
    }
    for table, key in (
        (shown.get("model", {}), "source"),
        *((task, "data") for task in shown["task"].values()),
    ):
        if key in table:
            table[key] = _without_path(table[key])
    return shown


def _without_path(source: str) -> str:
    kind, colon, place = source.partition(":")
    return f"{kind}:{PurePosixPath(place).name}" if colon and place.startswith("/") else source
