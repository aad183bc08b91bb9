"""The data of one task, from any source that a round file may name.

Sources: "toy" (the embedded grammar), "files:FOLDER" (json, jsonl, csv, tsv, parquet) and
"hub:OWNER/NAME[:CONFIG]". Files and the hub are read with Hugging Face `datasets`.
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Split
from harness.config import TaskConfig, shared_folder
from harness.errors import DataError
from harness.records import IntArray
from harness.tasks.kinds import KINDS
from harness.tasks.kshot import draw_kshot
from harness.tasks.sources import expand
from harness.tasks.split import stratified_rows
from harness.toy.tasks import TASKS

__all__ = ["TaskData", "load_task_data"]

_FORMATS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class TaskData:
    """Data for the runs of one task; the test labels never leave the worker.

    Attributes:
        test: the test rows in canonical order.
        kshot: k-shot seed -> (train, dev).
        digest: SHA-256 over the test texts and the k-shot rows. It is public and leaves out the test
            labels: a hash of them would confirm guesses.
        test_digest: SHA-256 over the test rows with their labels; for the sealed artifact only.
    """

    test: Split
    kshot: Mapping[int, tuple[Split, Split]]
    digest: str
    test_digest: str


def load_task_data(task: TaskConfig, seeds: Iterable[int] | None = None) -> TaskData:
    """Load a task's test rows and k-shot sets.

    Args:
        task: the task.
        seeds: k-shot seeds to load; None: all of the task's.

    Raises:
        DataError: a file, column or class is missing or malformed, or a test row occurs in the k-shot rows.
    """
    test = _load_split(task, task.test)
    if task.test_limit is not None and len(test) > task.test_limit:
        test = _take(test, stratified_rows(test.labels, task.test_limit))
    KINDS[task.kind].check_test(task, test.labels)
    wanted = tuple(task.kshot_seeds if seeds is None else seeds)
    if not wanted:
        kshot = {}
    elif task.kshot_data:
        kshot = {seed: _load_kshot_files(task, seed) for seed in wanted}
    else:
        pool = _without(_load_split(task, task.pool), test)
        kshot = {seed: draw_kshot(pool, len(task.label_names), task.k_shot, seed) for seed in wanted}
    _refuse_leaks(task, test, kshot)
    splits = [part for seed in sorted(kshot) for part in kshot[seed]]
    unlabelled = Split(test.texts, np.zeros(0, dtype=np.int64))
    return TaskData(test, kshot, _digest([unlabelled, *splits]), _digest([test]))


def _load_split(task: TaskConfig, split: str) -> Split:
    """Return one split of the task's source."""
    if task.data == "toy":
        from harness.toy.grammar import task_rows  # noqa: PLC0415 (only toy rounds need it)

        if task.name not in TASKS or split not in ("pool", "test"):
            raise DataError(
                f"Toy data: got task {task.name!r}, split {split!r}, expected a task of {', '.join(TASKS)} and split "
                "pool or test"
            )
        rows: Iterable[Mapping[str, Any]] = task_rows(task.name, split)
        return _to_split(rows, task, f"toy data, split {split!r}")
    scheme, _, location = task.data.partition(":")
    if scheme == "hub":
        return _to_split(_load_hub(task, location, split), task, f"{task.data}, split {split!r}")
    path = expand(location) / split
    return _to_split(_load_file(path), task, str(path))


def _load_hub(task: TaskConfig, location: str, split: str) -> Iterable[Mapping[str, Any]]:
    """Load a split from the hub (or its local cache)."""
    from datasets import load_dataset  # noqa: PLC0415 (seconds to import)
    from datasets.exceptions import DatasetsError  # noqa: PLC0415

    name, _, config = location.partition(":")
    try:
        dataset = load_dataset(name, config or None, split=split)
    except (OSError, ValueError, DatasetsError) as error:
        raise DataError(
            f"task {task.name!r}: cannot load {task.data!r}, split {split!r}: {error.__cause__ or error}; check the "
            "name and the connection (a data set loaded once stays in the local cache)"
        ) from error
    # Rows without a gold label carry -1 (SNLI).
    return [row for row in dataset if row.get(task.label) != -1]


def _load_file(path: Path, *, column_names: Sequence[str] | None = None) -> Iterable[Mapping[str, Any]]:
    """Load a local file; `column_names` is for files without a header."""
    from datasets import Features, Value, load_dataset  # noqa: PLC0415 (seconds to import)
    from datasets.exceptions import DatasetsError  # noqa: PLC0415
    from datasets.utils.logging import CRITICAL, disable_progress_bar, set_verbosity  # noqa: PLC0415

    if not path.is_file():
        is_shared = path.is_relative_to(shared_folder())
        hint = "name the shared folder with --shared or GRADFREE_SHARED" if is_shared else "correct the round file"
        raise DataError(f"{path}: no such file; {hint}")
    if path.suffix not in _FORMATS:
        raise DataError(f"{path}: got data format {path.suffix!r}, expected {', '.join(_FORMATS)}")
    disable_progress_bar()
    set_verbosity(CRITICAL)  # errors are reported once, below
    options: dict[str, Any] = {}
    if path.suffix in {".csv", ".tsv"}:
        options["keep_default_na"] = False
    if path.suffix == ".tsv":
        # GLUE's TSV files have no quoting: a quotation mark is text.
        options |= {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    if column_names:
        options["column_names"] = list(column_names)
        # As text: a label "true" or "01" must not become a boolean or a number.
        options["features"] = Features({name: Value("string") for name in column_names})
    try:
        return list(load_dataset(_FORMATS[path.suffix], data_files=str(path), split="train", **options))
    except StopIteration as error:  # raised for an empty file
        raise DataError(f"{path}: no rows") from error
    except (OSError, ValueError, DatasetsError) as error:
        # The cause is specific; the message of `datasets` is not.
        raise DataError(f"{path}: cannot be read as {_FORMATS[path.suffix]}: {error.__cause__ or error}") from error


def _load_kshot_files(task: TaskConfig, seed: int) -> tuple[Split, Split]:
    """Read ready train and dev files: text columns, then the label, without a header."""
    pattern = str(task.kshot_data).removeprefix("files:")
    splits = []
    for split in ("train", "dev"):
        path = expand(pattern.replace("{seed}", str(seed)).replace("{split}", split))
        rows = _load_file(path, column_names=[*task.fields, task.label])
        loaded = _to_split(rows, task, str(path), label_texts=task.kshot_labels)
        counts = np.bincount(loaded.labels, minlength=len(task.label_names))
        if (counts != task.k_shot).any():
            raise DataError(f"{path}: got {counts.tolist()} rows per class, expected k_shot = {task.k_shot} of each")
        splits.append(loaded)
    return splits[0], splits[1]


def _to_split(
    rows: Iterable[Mapping[str, Any]], task: TaskConfig, source: str, label_texts: Sequence[str] = ()
) -> Split:
    """Return the task's columns, every row checked."""
    texts: list[tuple[str, ...]] = []
    labels: list[int] = []
    kind = KINDS[task.kind]
    for number, row in enumerate(rows, start=1):
        missing = [column for column in (*task.fields, task.label) if column not in row]
        if missing:
            raise DataError(f"{source}, row {number}: no column {missing[0]!r}; it has {', '.join(row)}")
        fields = tuple(row[column] for column in task.fields)
        if not all(isinstance(text, str) for text in fields):
            raise DataError(f"{source}, row {number}: got {fields!r}, expected text in {task.fields}")
        texts.append(fields)
        labels.append(kind.read_target(row[task.label], label_texts, task, f"{source}, row {number}"))
    if not texts:
        raise DataError(f"{source}: no rows")
    return Split(tuple(texts), np.asarray(labels, dtype=np.int64))


def _fingerprint(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a key that ignores case, spacing and punctuation.

    A text with fewer than three letters or digits keeps its signs: "C++" is not "C#".
    """
    bare = [re.sub(r"[\W_]+", "", text.lower()) for text in texts]
    return tuple(
        short if len(short) >= 3 else " ".join(text.lower().split()) for short, text in zip(bare, texts, strict=True)
    )


def _without(pool: Split, test: Split) -> Split:
    """Drop pool rows that are in the test set too (some public data sets overlap)."""
    held = {_fingerprint(texts) for texts in test.texts}
    rows = [row for row, texts in enumerate(pool.texts) if _fingerprint(texts) not in held]
    return _take(pool, np.asarray(rows, dtype=np.int64))


def _take(split: Split, rows: IntArray) -> Split:
    return Split(tuple(split.texts[row] for row in rows), split.labels[rows])


def _refuse_leaks(task: TaskConfig, test: Split, kshot: Mapping[int, tuple[Split, Split]]) -> None:
    """Raise DataError if a test row occurs in the k-shot rows."""
    held = {_fingerprint(texts): row for row, texts in enumerate(test.texts)}
    for seed, (train, dev) in kshot.items():
        for name, split in (("train", train), ("dev", dev)):
            for row, texts in enumerate(split.texts):
                if _fingerprint(texts) in held:
                    raise DataError(
                        f"task {task.name!r}, k-shot seed {seed}: {name} row {row} is test row "
                        f"{held[_fingerprint(texts)]}: {texts!r}; remove one of them"
                    )


def _digest(splits: Iterable[Split]) -> str:
    """Return the SHA-256 (hex) over texts and labels."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(json.dumps([split.texts, split.labels.tolist()], separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()
