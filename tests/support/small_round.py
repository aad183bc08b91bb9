"""A round as a test of the store needs it: named tasks, and whatever keys of a round file matter."""

from typing import Any

from harness.config import RoundConfig

__all__ = ["small_round"]

_SECTIONS = ("visibility", "limits", "model")


def small_round(
    *tasks: tuple[str, str, int, tuple[int, ...]], name: str = "toy", version: str = "1.0", **more: Any
) -> RoundConfig:
    """Return a valid round over the toy model; its data need not exist.

    Args:
        tasks: (name, metric, budget in calls, k-shot seeds) each; none: "sst2", "accuracy", 3000, (8,).
        name: the round's.
        version: the round's.
        more: "visibility", "limits" and "model" are sections; "public_fraction" goes to every task; the rest
            are keys of `[round]`.
    """
    sections = {key: more.pop(key) for key in _SECTIONS if key in more}
    every_task = {"public_fraction": more.pop("public_fraction")} if "public_fraction" in more else {}
    return RoundConfig.model_validate(
        {
            "round": {"name": name, "version": version, **more},
            "model": {"source": "toy", "n_prompt_tokens": 10},
            **sections,
            "task": [
                {
                    "name": task,
                    "data": f"files:{task}",
                    "fields": ["text"],
                    "label_names": ["bad", "good"],
                    "template": "{p} . {text} . It was [M] .",
                    "words": ["bad", "good"],
                    "k_shot": 16,
                    "kshot_seeds": list(seeds),
                    "budget_calls": budget,
                    "metric": metric,
                    **every_task,
                }
                for task, metric, budget, seeds in tasks or (("sst2", "accuracy", 3000, (8,)),)
            ],
        }
    )
