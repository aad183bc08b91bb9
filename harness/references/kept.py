"""Finished runs of gradient references, kept on disk because each takes minutes to hours."""

import hashlib
import json
import os
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import DataError, UsageError
from harness.references.method import ReferenceMethod
from harness.references.run import ReferenceRun
from harness.references.training import Trained
from harness.session.loaded_round import LoadedRound
from harness.session.provenance import code_digest, packages_digest

__all__ = ["KeptRuns"]

_KEY_CHARS = 16


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    made_with: dict[str, object]
    score: float
    public_score: float
    predictions: list[int]
    step: int
    dev_accuracy: float
    wall_s: float


class KeptRuns:
    """A folder with one JSON document per finished run, keyed by all inputs of its result."""

    def __init__(self, folder: Path) -> None:
        """Open or create a folder readable by its owner only, as runs hold predictions of test rows.

        Raises:
            UsageError: the folder is not writable; checked before any training.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise _unwritable(folder, error) from error

    def find(self, arena: LoadedRound, method: ReferenceMethod, task: str, kshot_seed: int) -> ReferenceRun | None:
        """Return the kept run, or None.

        Raises:
            DataError: its file cannot be read.
            UsageError: the round has no such task.
        """
        path = self._path(_made_with(arena, method, task, kshot_seed))
        try:
            document = _Document.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise DataError(f"{path}: not a kept run ({error}); delete it to train again") from error
        return ReferenceRun(
            method.name,
            task,
            kshot_seed,
            document.score,
            document.public_score,
            np.array(document.predictions, dtype=np.int64),
            Trained(document.step, document.dev_accuracy),
            document.wall_s,
        )

    def keep(self, arena: LoadedRound, method: ReferenceMethod, run: ReferenceRun) -> None:
        """Store a run; its file appears once it is complete.

        Raises:
            UsageError: the folder is no longer writable.
        """
        made_with = _made_with(arena, method, run.task, run.kshot_seed)
        document = _Document(
            made_with=made_with,
            score=run.score,
            public_score=run.public_score,
            predictions=run.predictions.tolist(),
            step=run.trained.step,
            dev_accuracy=run.trained.dev_accuracy,
            wall_s=run.wall_s,
        )
        path = self._path(made_with)
        staging = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            staging.touch(mode=0o600)
            staging.write_text(document.model_dump_json(indent=1) + "\n")
            staging.replace(path)
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def _path(self, made_with: dict[str, object]) -> Path:
        text = json.dumps(made_with, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARS]
        named = "-".join(str(made_with[field]) for field in ("method", "task", "kshot_seed"))
        return self._folder / f"{named}-{key}.json"


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"Cannot keep runs in {folder}: {error.strerror or error}; name another folder with --keep")


def _made_with(arena: LoadedRound, method: ReferenceMethod, task: str, kshot_seed: int) -> dict[str, object]:
    """Return all inputs of a run's result as plain JSON values."""
    data = arena.task(task).data
    return {
        "method": method.name,
        "task": task,
        "kshot_seed": kshot_seed,
        "settings": method.model_dump(mode="json"),
        "source": hashlib.sha256(method.source.read_bytes()).hexdigest(),
        "round": arena.config.digest(),
        "data": data.digest,
        "test": data.test_digest,
        "model": arena.backbone.weights_digest,
        "tokenizer": arena.backbone.tokenizer_digest,
        "profile": arena.profile.digest,
        "code": code_digest(),
        "packages": packages_digest(),
        "peft": _peft_version(),
    }


def _peft_version() -> str:
    try:
        return version("peft")
    except PackageNotFoundError:
        return "absent"
