"""Reading a round file (packaged by name, or any TOML file by path) and the rules that the store keeps."""

import os
import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.config.round import RoundConfig
from harness.errors import ConfigError, InfrastructureError, UsageError

__all__ = ["SHARED_VARIABLE", "load_round", "official_presets", "packaged_rounds", "parse_rules", "shared_folder"]

SHARED_VARIABLE = "GRADFREE_SHARED"
"""Environment variable: the folder that "@shared" stands for in a round file."""


def shared_folder() -> Path:
    """Return the folder that "@shared" stands for: the variable's value, or `../shared`."""
    return Path(os.environ.get(SHARED_VARIABLE) or "../shared").resolve()


def packaged_rounds() -> tuple[str, ...]:
    """Return the names of the rounds that ship with the project."""
    folder = files("harness.config") / "rounds"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.is_file()))


def load_round(name_or_path: str) -> RoundConfig:
    """Read and validate a round file.

    Args:
        name_or_path: a packaged round's name ("toy"), or the path of a TOML file.

    Raises:
        UsageError: there is no such round or file.
        ConfigError: the file is invalid; the error lists every bad field.
    """
    if name_or_path in packaged_rounds():
        source = f"packaged round {name_or_path!r}"
        text = (files("harness.config") / "rounds" / f"{name_or_path}.toml").read_text("utf-8")
        folder = Path.cwd()
    else:
        path = Path(name_or_path)
        if not path.is_file():
            raise UsageError(
                f"there is no round {name_or_path!r}: name a packaged round "
                f"({', '.join(packaged_rounds())}) or the path of a round file (TOML)"
            )
        source, folder = str(path), path.resolve().parent
        try:
            text = path.read_text("utf-8-sig")  # some editors write a byte order mark
        except UnicodeDecodeError as error:
            raise ConfigError(source, [f"not UTF-8 text: {error}"]) from error
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror or error}") from error
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # among them: numbers too long, lists too deep
        raise ConfigError(source, [f"not valid TOML: {error}"]) from error
    problems, without_preset = _apply_presets(content)
    try:
        config = RoundConfig.model_validate(content)
    except ValidationError as error:
        # Errors of a task without its preset, or of the list of tasks, only repeat another error.
        problems += [
            _line(problem)
            for problem in error.errors()
            if problem["loc"][:2] not in without_preset and problem["loc"] != ("task",)
        ] or [_line(problem) for problem in error.errors()]
    if problems:
        raise ConfigError(source, problems)
    return _with_absolute_paths(config, folder)


@lru_cache(maxsize=256)
def parse_rules(rules_json: str, digest: str) -> RoundConfig:
    """Return the round that was stored as canonical JSON. Cached: a board reads the same rounds many times.

    Args:
        rules_json: what `RoundConfig.canonical_json` returned when the round was created.
        digest: what `RoundConfig.digest` returned then, SHA-256 in hexadecimal.

    Raises:
        InfrastructureError: this version of the code cannot read the rules, or they do not match the digest.
    """
    try:
        config = RoundConfig.model_validate_json(rules_json)
    except ValidationError as error:
        raise InfrastructureError(
            f"Stored rules of round {digest[:12]} cannot be read: {'; '.join(map(_line, error.errors()))}; "
            "use the version of the code that created the round"
        ) from error
    if config.digest() != digest:
        raise InfrastructureError(
            f"Stored rules of round {config.name} {config.version} have digest {config.digest()[:12]}, "
            f"expected {digest[:12]}; restore them from a backup, or use the version of the code that created it"
        )
    return config


def official_presets() -> dict[str, dict[str, Any]]:
    """Return name -> official task, as keys of a round file: "sst2", and "sst2-gpt2" for a family."""
    official = tomllib.loads((files("harness.config") / "official_tasks.toml").read_text("utf-8"))
    presets: dict[str, dict[str, Any]] = {task["name"]: task for task in official["task"]}
    for wording in official["wording"]:
        preset, family = wording.pop("preset"), wording.pop("family")
        presets[f"{preset}-{family}"] = presets[preset] | wording
    return presets


def _apply_presets(content: dict[str, Any]) -> tuple[list[str], set[tuple[str | int, ...]]]:
    """Fill tasks from their presets, in place; return the problems and the places of tasks without a preset."""
    presets = official_presets()
    problems: list[str] = []
    without_preset: set[tuple[str | int, ...]] = set()
    tasks = content.get("task", [])
    if not isinstance(tasks, list):
        return problems, without_preset
    for number, task in enumerate(tasks):
        if not isinstance(task, dict) or "preset" not in task:
            continue
        preset = presets.get(task["preset"]) if isinstance(task["preset"], str) else None
        if preset is None:
            problems.append(f"task[{number}].preset: got {task['preset']!r}, expected one of {', '.join(presets)}")
            without_preset.add(("task", number))
            continue
        tasks[number] = {**preset, **task}
    return problems, without_preset


def _line(problem: Any) -> str:
    """Return a validation problem as one line: the field, the value found, the value expected."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    where = where.lstrip(".") or "file"
    expected = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{where}: missing (required)"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key, remove it or correct its name"
    if problem["type"] == "value_error":
        return f"{where}: {expected}"
    if problem["type"] == "tuple_type":
        expected = "write [[task]], once per task" if where == "task" else "expected a list, in brackets"
        found = "a table" if isinstance(problem["input"], dict) else repr(problem["input"])
        return f"{where}: got {found}: {expected}"
    return f"{where}: got {problem['input']!r}: {expected[0].lower()}{expected[1:]}"


def _with_absolute_paths(config: RoundConfig, folder: Path) -> RoundConfig:
    """Resolve paths relative to the round file; keep "@shared/...", so that digests agree across machines."""
    tasks = tuple(
        task.model_copy(
            update={
                "data": _absolute(task.data, "files:", folder),
                "kshot_data": _absolute(task.kshot_data, "files:", folder) if task.kshot_data else None,
            }
        )
        for task in config.task
    )
    model = config.model.model_copy(update={"source": _absolute(config.model.source, "path:", folder)})
    return config.model_copy(update={"task": tasks, "model": model})


def _absolute(source: str, scheme: str, folder: Path) -> str:
    if not source.startswith(scheme) or source.startswith(f"{scheme}@shared/"):
        return source
    return f"{scheme}{folder / source.removeprefix(scheme)}"
