"""Prediction uploads in the competition's format: a zip of `<Task>/<seed>.csv` files.

The calls behind such predictions are not metered, so they are scored on the public test rows, rounded to 0.1,
never ranked, and labelled (`harness.store.public.UPLOAD_LABEL`).
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from harness.config import RoundConfig, TaskConfig
from harness.errors import InvalidSubmission
from harness.metrics.official import score
from harness.records import IntArray
from harness.rounds.lifecycle import same_round
from harness.session.archive import read_zip
from harness.store.public.publisher import Publisher
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team, find_team
from harness.store.sealed.uploads import add_upload
from harness.tasks import load_task_data, public_rows

__all__ = ["PredictionReport", "publish_predictions", "score_predictions"]

_HEADER = ["", "pred"]
_MAX_BYTES = 64 * 2**20
_MAX_FILES = 500


@dataclass(frozen=True, slots=True)
class PredictionReport:
    """Scores of a prediction upload, rounded to 0.1.

    Attributes:
        round_name: the round.
        seeds: task -> k-shot seed -> score.
        tasks: task -> mean over seeds.
        total: mean over tasks.
        label_order: task -> class names in the order of the numbers.
    """

    round_name: str
    seeds: Mapping[str, Mapping[int, float]]
    tasks: Mapping[str, float]
    total: float
    label_order: Mapping[str, tuple[str, ...]]


def score_predictions(archive: Path, config: RoundConfig) -> PredictionReport:
    """Score a zip on the public test rows of a round.

    Args:
        archive: `<Task>/<seed>.csv` for every task and k-shot seed of the round; each with the
            header `,pred` and one line `row,class` per test row.
        config: the round.

    Raises:
        InvalidSubmission: the message lists every missing, unexpected or malformed file and row.
        DataError: the round's data cannot be loaded.
    """
    files = read_zip(archive, max_files=_MAX_FILES, max_bytes=_MAX_BYTES)
    expected = {
        f"{task.upload_name or task.name}/{seed}.csv": (task, seed) for task in config.task for seed in task.kshot_seeds
    }
    problems = [f"{name}: missing" for name in expected if name not in files]
    problems += [
        f"{name}: unexpected; round {config.name!r} expects {', '.join(sorted(expected))}"
        for name in files
        if name not in expected
    ]
    raw: dict[str, dict[int, float]] = {}
    for task in config.task:
        # Test rows do not depend on k-shot seeds.
        test = load_task_data(task, seeds=()).test
        is_public = public_rows(test.labels, task.public_fraction, config.round.seed)
        for name, (owner, seed) in expected.items():
            if owner is task and name in files:
                predictions, wrong = _read_csv(name, files[name], task, len(test))
                problems += wrong
                if not wrong:
                    n_classes = len(task.label_names)
                    raw.setdefault(task.name, {})[seed] = score(
                        task.metric, test.labels[is_public], predictions[is_public], n_classes
                    )
    if problems:
        raise InvalidSubmission(
            f"{archive.name}: {len(problems)} problem(s)\n" + "\n".join(f"  - {problem}" for problem in problems)
        )
    means = {task: fmean(scores.values()) for task, scores in raw.items()}
    return PredictionReport(
        round_name=config.name,
        seeds={task: {seed: round(value, 1) for seed, value in scores.items()} for task, scores in raw.items()},
        tasks={task: round(value, 1) for task, value in means.items()},
        total=round(fmean(means.values()), 1),
        label_order={task.name: _label_order(task) for task in config.task},
    )


def publish_predictions(
    store: SealedStore, publisher: Publisher, config: RoundConfig, archive: Path, name: str, team: str
) -> PredictionReport:
    """Score a zip for a team and show the rounded scores on the board, unranked.

    It counts against the team's quota like a submission, since it also gives a score on the public rows. A
    refused archive does not count; the same archive again replaces its scores and does not count.

    Args:
        store: the sealed store; the round must exist there with the same rules.
        publisher: of the same arena.
        config: the round.
        archive: as for `score_predictions`.
        name: name on the board.
        team: the team; added if it is new, unless the round requires registered teams.

    Raises:
        UsageError: the arena lacks the round or has it with other rules, the round is not open, the name is
            invalid, the team is unknown, or its quota is used up.
        InvalidSubmission: as for `score_predictions`.
        DataError: the round's data cannot be loaded.
    """
    with store.read() as tx:
        same_round(tx, config)
    report = score_predictions(archive, config)
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # The report is returned only after the quota is charged.
    with store.write() as tx:
        owner = find_team(tx, team) if config.is_registered_only else ensure_team(tx, team)
        add_upload(
            tx,
            same_round(tx, config),
            name=name,
            digest=digest,
            score=report.total,
            task_scores=report.tasks,
            team=owner,
        )
    publisher.publish()
    return report


def _label_order(task: TaskConfig) -> tuple[str, ...]:
    return task.upload_label_order or task.label_names


def _read_csv(name: str, content: bytes, task: TaskConfig, n_rows: int) -> tuple[IntArray, list[str]]:
    """Return class numbers (B,) in the round's own label order, and every problem found."""
    predictions = np.full(n_rows, -1, dtype=np.int64)
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        return predictions, [f"{name}: not a CSV file in UTF-8: {error}"]
    if not lines or lines[0] != _HEADER:
        found = ",".join(lines[0]) if lines else "an empty file"
        return predictions, [f"{name}: the header must be ',pred', got {found!r}"]
    order = [task.label_names.index(label) for label in _label_order(task)]
    problems = []
    for number, line in enumerate(lines[1:], start=2):
        problem = _place(line, predictions, order)
        if problem:
            problems.append(f"{name}, line {number}: {problem}")
    if len(lines) - 1 > n_rows:
        problems.append(f"{name}: too long: {len(lines) - 1} rows, the test set has {n_rows}")
    missing = np.flatnonzero(predictions < 0)
    if missing.size and not problems:
        problems.append(
            f"{name}: too short: {n_rows - missing.size} of {n_rows} rows; the first missing row is {missing[0]}"
        )
    return predictions, problems


def _place(line: list[str], predictions: IntArray, order: list[int]) -> str:
    """Store the prediction of one line; return the problem, or an empty text."""
    if len(line) != 2:
        return f"expected 'row,class', got {','.join(line)!r}"
    for name, text, size in zip(("row", "class"), line, (len(predictions), len(order)), strict=True):
        if not _is_number(text):
            return f"{name} {text[:40]!r} is not a whole number"
        if int(text) >= size:
            return f"{name} {text} is out of range, expected 0..{size - 1}"
    row, label = map(int, line)
    if predictions[row] >= 0:
        return f"row {row} stands twice"
    predictions[row] = order[label]
    return ""


def _is_number(text: str) -> bool:
    """Return whether a text is an integer of at most 9 digits (`int` refuses huge ones)."""
    return len(text) <= 9 and text.isascii() and text.isdigit()
