"""Verification of an exported round: compares digests, and recomputes scores and ranking."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.metrics.official import score
from harness.metrics.ranking import Contender, ScoringRule, mean_of_seeds, owner_of, rank_contenders, total_score
from harness.rounds.export import EXPORT_SCHEMA

__all__ = ["VerifyReport", "verify_export"]

_TOLERANCE = 1e-9
"""Tolerance of scores, in points: other library versions may round the last bit differently."""

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""Errors raised by JSON that does not have the expected form."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Result of verifying an export.

    Attributes:
        round_name: the round.
        is_final: whether the scores are those on the private rows.
        n_files: files whose bytes were compared.
        n_scores: run scores that were recomputed from predictions and labels.
        places: (rank or None, submission) in the recomputed order.
        problems: one line per difference; empty if nothing differs.
    """

    round_name: str
    is_final: bool
    n_files: int
    n_scores: int
    places: tuple[tuple[int | None, int], ...]
    problems: tuple[str, ...]


def verify_export(path: Path) -> VerifyReport:
    """Compare every file with its digest, and recompute scores and ranking.

    Raises:
        UsageError: not an exported round, or its manifest is unreadable.
    """
    problems = _whole_file(path)
    files, damaged = _read(path)
    problems += [f"{name}: unreadable ({why})" for name, why in damaged.items()]
    try:
        manifest = json.loads(files["manifest.json"])
        expected = dict(manifest["files"])
        round_name, is_final, round_digest = manifest["round"], manifest["is_final"], manifest["digest"]
        if manifest["schema_version"] != EXPORT_SCHEMA:
            raise UsageError(f"{path}: export schema {manifest['schema_version']!r}, expected {EXPORT_SCHEMA!r}")
    except _MALFORMED as error:
        raise UsageError(f"{path}: manifest.json is missing or damaged: {'; '.join(problems) or error}") from error
    for name, digest in expected.items():
        if name not in files:
            problems += [] if name in damaged else [f"{name}: missing"]
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            problems.append(f"{name}: its bytes are not those that were exported")
    problems += [f"{name}: not in the manifest" for name in files if name not in {*expected, "manifest.json"}]
    # Before publication the rules are left out: their seed determines the private test rows.
    rules = files.get("round.json", b"")
    is_other = hashlib.sha256(rules).hexdigest() != round_digest
    if is_final and is_other and "round.json" not in damaged:
        problems.append("round.json: its digest is not the round's")
    n_scores = 0
    places: tuple[tuple[int | None, int], ...] = ()
    if "submissions.json" in files and "ranking.json" in files:
        try:
            submissions = json.loads(files["submissions.json"])
            n_scores, wrong = _scores(manifest, submissions, files)
            places, moved = _ranking(manifest, submissions, json.loads(files["ranking.json"]))
            problems += wrong + moved
        except _MALFORMED as error:
            problems.append(f"submissions.json or ranking.json: cannot be read: {error!r}")
    return VerifyReport(round_name, is_final, len(expected), n_scores, places, tuple(problems))


def _whole_file(path: Path) -> list[str]:
    """Compare the archive with the digest file beside it, if there is one; return the problems."""
    beside = path.with_name(f"{path.name}.sha256")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if beside.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest().encode()
        if beside.read_bytes().split()[:1] == [digest]:
            return []
        return [f"{path.name}: its bytes are not those that {beside.name} stands for"]
    return []


def _read(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return name -> content, and name -> error for unreadable files."""
    files: dict[str, bytes] = {}
    damaged: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                try:
                    files[info.filename] = archive.read(info)
                except Exception as error:  # noqa: BLE001 (`zlib.error` derives from `Exception` directly)
                    damaged[info.filename] = str(error)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable zip: {error}") from error
    return files, damaged


def _scores(manifest: Any, submissions: Any, files: dict[str, bytes]) -> tuple[int, list[str]]:
    """Recompute run scores from predictions and labels, if the archive has them."""
    tasks = {task["name"]: task for task in manifest["tasks"]}
    labels = {name: json.loads(files[f"labels/{name}.json"]) for name in tasks if f"labels/{name}.json" in files}
    n_scores, problems = 0, []
    for submission in submissions:
        for run in submission["runs"]:
            name = f"predictions/{run['run']}.json"
            if run["task"] not in labels or name not in files:
                continue
            own = labels[run["task"]]
            rows, predictions = np.asarray(own["labels"]), np.asarray(json.loads(files[name]))
            is_public = np.asarray(own["is_public"], dtype=bool)
            is_private = tasks[run["task"]]["has_private_rows"]
            for key, chosen in (("score_public", is_public), ("score", ~is_public if is_private else is_public)):
                found = score(tasks[run["task"]]["metric"], rows[chosen], predictions[chosen], own["n_classes"])
                n_scores += 1
                if run[key] is None or abs(found - run[key]) > _TOLERANCE:
                    problems.append(
                        f"submission {submission['submission']}, {run['task']} seed {run['kshot_seed']}: "
                        f"{key} is {run[key]}, the predictions give {found}"
                    )
    return n_scores, problems


def _ranking(manifest: Any, submissions: Any, ranking: Any) -> tuple[tuple[tuple[int | None, int], ...], list[str]]:
    """Recompute the ranking and compare it with the exported one."""
    computed = rank_contenders(
        [_contender(manifest, submission) for submission in submissions], ScoringRule(manifest["rule"])
    )
    totals = {place.submission_id: place.contender.total for place in computed.places}
    places = tuple((place.rank, place.submission_id) for place in computed.places)
    problems = []
    exported = [(line["rank"], line["submission"]) for line in ranking]
    if list(places) != exported:
        problems.append(f"ranking.json: exported {exported}, computed {list(places)}")
    for line in ranking:
        total = totals.get(line["submission"])
        if total is None or line["score"] is None or abs(total - line["score"]) > _TOLERANCE:
            problems.append(f"ranking.json: submission {line['submission']} has {line['score']}, computed {total}")
    return places, problems


def _contender(manifest: Any, submission: Any) -> Contender:
    def total(key: str) -> float | None:
        if not submission["is_complete"]:
            return None
        return total_score(
            {
                task["name"]: mean_of_seeds([run[key] for run in submission["runs"] if run["task"] == task["name"]])
                for task in manifest["tasks"]
            }
        )

    is_bundled = submission["is_baseline"] or submission["is_example"]
    return Contender(
        submission_id=submission["submission"],
        owner=owner_of(submission["team"], submission["name"], is_bundled=is_bundled),
        total=total("score"),
        public_total=total("score_public"),
        calls=sum(run["calls"] for run in submission["runs"]),
        submitted_at=datetime.fromisoformat(submission["submitted_at"]),
        is_ranked=not submission["is_baseline"],
        is_official=submission["is_official"],
    )
