"""One archive with everything needed to recompute a round's ranking without the platform.

Before publication the archive contains the currently visible data of the public store. After publication the
complete rules, the predictions, the test labels (unless they are sealed) and the round's part of the audit are
added from the sealed store, so that scores can be recomputed too. `harness.rounds.verify` reads the archive.

::

    manifest.json            schema, round, phase, SHA-256 of every other file
    rules.json               before publication: the public part of the rules
    round.json               after publication: the rules; their SHA-256 is the round's digest
    submissions.json         every submission with its runs: verdicts, calls, scores, hashes of artifacts
    ranking.json             places on the board
    labels/<task>.json       after publication: labels, which rows are public, number of classes
    predictions/<run>.json   after publication: predicted classes in canonical order
    events.jsonl             after publication: the audit events of this round
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.store.paths import ArenaPaths
from harness.store.public import Entry, PublicStore, RunLine
from harness.store.sealed.events import read_events
from harness.store.sealed.replicates import predictions_of, test_sets_of
from harness.store.sealed.rounds import find_round
from harness.store.sealed.schema import EventRow, RoundRow
from harness.store.sealed.store import SealedStore, Transaction
from harness.store.sealed.submissions import get_submission

__all__ = ["EXPORT_SCHEMA", "export_round"]

EXPORT_SCHEMA = "1"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in the archive, so that equal content gives equal bytes."""


def export_round(store: SealedStore, paths: ArenaPaths, name: str, target: Path) -> str:
    """Write the archive of a round, atomically, and return its SHA-256 (hex).

    Args:
        store: the sealed store; the public one must be up to date.
        paths: of the arena.
        name: the round.
        target: the zip file; `target` + ".sha256" is written beside it.

    Raises:
        UsageError: the arena has no such round, or `target` cannot be written.
    """
    with store.read() as tx, PublicStore.open(paths.public_db) as public:
        row = find_round(tx, name)
        files = _files(tx, row, public)
    return _write(target, files)


def _files(tx: Transaction, row: RoundRow, public: PublicStore) -> dict[str, bytes]:
    """Return name -> content for every file of the archive."""
    board = public.board(row.name, row.version)
    entries = public.submissions(row.name, row.version)
    pages = [public.submission(entry.submission_id) for entry in reversed(entries)]
    is_final = board.round.is_final
    files: dict[str, bytes] = {}
    sealed_scores: dict[int, float | None] = {}
    if not is_final:
        files["rules.json"] = _json(board.round.rules)
    else:
        files["round.json"] = row.rules_json.encode()
        files |= _evidence(tx, row, entries)
        for page in pages:
            runs = get_submission(tx, page.entry.submission_id).runs
            sealed_scores |= {run.run_id: run.score_public for run in runs}
    files["submissions.json"] = _json(
        [
            _submission(page.entry)
            | {"runs": [_run(run, sealed_scores.get(run.run_id, run.score)) for run in page.runs]}
            for page in pages
        ]
    )
    files["ranking.json"] = _json(
        [_place(entry, position) for position, entry in enumerate((e for e in board.entries if e.counts), start=1)]
    )
    files["manifest.json"] = _json(
        {
            "schema_version": EXPORT_SCHEMA,
            "round": row.name,
            "version": row.version,
            "digest": row.digest,
            "rule": row.config.round.rule,
            "phase": board.round.phase,
            "is_final": is_final,
            "tasks": [
                {
                    "name": task.name,
                    "metric": task.metric,
                    "kshot_seeds": task.kshot_seeds,
                    "has_private_rows": own.has_private_rows,
                }
                for task, own in zip(board.round.tasks, row.config.task, strict=True)
            ],
            "files": {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())},
        }
    )
    return files


def _evidence(tx: Transaction, row: RoundRow, entries: Sequence[Entry]) -> dict[str, bytes]:
    files = {}
    if row.config.is_practice:
        for task, own in test_sets_of(tx, row).items():
            files[f"labels/{task}.json"] = _json(
                {
                    "labels": own.labels.tolist(),
                    "is_public": own.is_public.astype(int).tolist(),
                    "n_classes": own.n_classes,
                    "digest": own.digest,
                }
            )
    for entry in entries:
        for run_id, classes in predictions_of(tx, entry.submission_id).items():
            files[f"predictions/{run_id}.json"] = _json(classes.tolist())
    teams = {entry.team for entry in entries}
    lines = [
        json.dumps(
            {
                "event": event.id,
                "at": event.at.isoformat(),
                # The user in `user@machine:process`.
                "actor": event.actor.partition("@")[0],
                "kind": event.kind,
                "submission": event.submission_id,
                "run": event.run_id,
                "attempt": event.attempt_id,
                "detail": _public_detail(event),
            },
            sort_keys=True,
        )
        for event in read_events(tx)
        # Other rounds of the arena may still be hidden.
        if event.round_id == row.id or (event.round_id is None and event.detail.get("team") in teams)
    ]
    files["events.jsonl"] = ("\n".join(lines) + "\n").encode()
    return files


def _public_detail(event: EventRow) -> dict[str, Any]:
    """Return the public part of an event's detail.

    A reason is text of the organizer or of a platform error and may contain data or local paths; the name of a
    worker contains the name of its host.
    """
    return {key: value for key, value in event.detail.items() if key not in {"reason", "worker"}}


def _submission(entry: Entry) -> dict[str, Any]:
    flags = ("is_baseline", "is_example", "is_official", "is_complete")
    return {
        "submission": entry.submission_id,
        "name": entry.solver,
        **_picked(entry, "team", "digest", *flags, "status", "verdict"),
        "submitted_at": entry.submitted_at.isoformat(),
    }


def _run(run: RunLine, score_public: float | None) -> dict[str, Any]:
    return {
        "run": run.run_id,
        **_picked(run, "task", "kshot_seed", "solver_seed", "status", "verdict", "is_checkpoint"),
        "score": run.score,
        "score_public": score_public,
        **_picked(run, "calls", "budget_calls", "artifact_sha256"),
        "hashes": dict(run.hashes),
    }


def _place(entry: Entry, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "submission": entry.submission_id,
        "name": entry.solver,
        **_picked(entry, "rank", "team", "score", "calls", "tier", "is_pareto"),
    }


def _picked(value: object, *names: str) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _json(content: Any) -> bytes:
    return (json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n").encode()


def _write(target: Path, files: dict[str, bytes]) -> str:
    staging = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and not zipfile.is_zipfile(target):
            raise UsageError(f"{target} exists already and is no export; name another file with --to")
        with zipfile.ZipFile(staging, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(files):
                archive.writestr(zipfile.ZipInfo(path, _EPOCH), files[path], zipfile.ZIP_DEFLATED)
        digest = hashlib.sha256(staging.read_bytes()).hexdigest()
        staging.replace(target)
        target.with_name(f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error
    return digest
