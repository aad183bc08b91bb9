"""Check that the data of a round file exist, without loading them."""

import re
from pathlib import Path

from harness.config import RoundConfig, TaskConfig, shared_folder
from harness.toy import PLACEHOLDER_IDS
from harness.toy.tasks import TASKS

__all__ = ["expand", "missing_sources"]


def expand(location: str) -> Path:
    """Return the path of a location in a round file; "@shared" stands for the shared folder."""
    return Path(re.sub(r"^@shared(?=/|$)", lambda _: str(shared_folder()), location))


def missing_sources(config: RoundConfig) -> list[str]:
    """Return one line per local file, folder or toy task that is missing; the hub is not checked."""
    problems = []
    scheme, _, location = config.model.source.partition(":")
    is_shared_missing = not shared_folder().is_dir()
    named = [location, *(written for task in config.task for _, written, _ in _files(task))]
    if is_shared_missing and any(map(_is_shared, named)):
        # Reported once, not for everything in it.
        problems.append(f"@shared: no folder {shared_folder()}; name it with --shared or GRADFREE_SHARED")
    if scheme == "path" and not (is_shared_missing and _is_shared(location)) and not expand(location).is_dir():
        problems.append(f"model.source: no folder {expand(location)}{_hint(location)}")
    n_tokens, most = config.model.n_prompt_tokens, len(PLACEHOLDER_IDS)
    if config.model.source == "toy" and n_tokens > most:
        problems.append(f"model.n_prompt_tokens: got {n_tokens}; the toy model has at most {most}")
    for number, task in enumerate(config.task):
        if task.data == "toy" and task.name not in TASKS:
            problems.append(f"task[{number}].name: the toy data has no task {task.name!r}; it has {', '.join(TASKS)}")
        problems += [
            f"task[{number}].{key}: no file {path}{_hint(location)}"
            for key, location, path in _files(task)
            if not (is_shared_missing and _is_shared(location)) and not path.is_file()
        ]
    return problems


def _is_shared(location: str) -> bool:
    return location.startswith("@shared")


def _hint(location: str) -> str:
    return "; name the shared folder with --shared or GRADFREE_SHARED" if _is_shared(location) else ""


def _files(task: TaskConfig) -> list[tuple[str, str, Path]]:
    """Return for every local file of a task its key in the round file, its location as written and its path."""
    found = []
    scheme, _, location = task.data.partition(":")
    if scheme == "files":
        # The pool is not read if there are ready k-shot files.
        names = ("test",) if task.kshot_data else ("pool", "test")
        found += [(name, location, expand(location) / getattr(task, name)) for name in names]
    if task.kshot_data:
        pattern = task.kshot_data.removeprefix("files:")
        found += [
            ("kshot_data", pattern, expand(pattern.replace("{seed}", str(seed)).replace("{split}", split)))
            for seed in task.kshot_seeds
            for split in ("train", "dev")
        ]
    return found
