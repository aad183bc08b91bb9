"""The final phase: every standing submission runs again, on fresh k-shot seeds.

The seeds are drawn from the operating system after the round has closed, so that no team can have adapted to
them through its scores or logs.
"""

import secrets

from pydantic import ValidationError

from harness.config import FINAL_SUFFIX, RoundConfig, VisibilityConfig
from harness.errors import UsageError
from harness.metrics.ranking import owner_of
from harness.records import Phase
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import add_round, find_round, list_rounds, refuse_staged
from harness.store.sealed.schema import RoundRow, SubmissionRow
from harness.store.sealed.standings import standings
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import add_submission, get_submission, list_submissions
from harness.store.sealed.teams import find_team
from harness.store.values import StoredSubmission

__all__ = ["draw_final"]

_SEED_BITS = 31


def draw_final(store: SealedStore, publisher: Publisher, name: str) -> tuple[RoundRow, int]:
    """Create the final round of a closed round and queue its standing submissions.

    The standings include results hidden by a frozen or blind board. The final itself is blind: scores, curves
    and logs are shown from its publication on.

    Idempotent: reuses the seeds, and queues only owners that have no entry in the final.

    Returns:
        The final round, and the number of submissions queued by this call.

    Raises:
        UsageError: the round is not closed, a submission has not ended, a rejudge is staged, or its k-shot
            sets come from fixed files, so that no fresh ones can be drawn.
    """
    with store.write() as tx:
        row = find_round(tx, name)
        config = row.config
        phase = row.phase_at(tx.now)
        if not phase.has_reached(Phase.CLOSED):
            raise UsageError(f"round {name} is {phase}; close it first: gradfree round close {name}")
        waiting = [item.submission_id for item in list_submissions(tx, row) if item.finished_at is None]
        if waiting:
            raise UsageError(f"submissions {waiting} of round {name} have not ended; let a worker finish them")
        refuse_staged(tx, row)
        final_name = config.name + FINAL_SUFFIX
        known = [
            item for item in list_rounds(tx) if (item.config.name, item.config.version) == (final_name, config.version)
        ]
        final = known[0] if known else add_round(tx, _with_fresh_seeds(config), Phase.CLOSED)
        final_row = find_round(tx, final.config.name, final.config.version)
        entered = {_owner(item) for item in list_submissions(tx, final_row)}
        # By time of submission: in the order of the standings the new numbers would reveal private ranks.
        standing = sorted(entry.submission_id for entry in standings(tx, row))
        missing = [item for item in (get_submission(tx, number) for number in standing) if _owner(item) not in entered]
        for old in missing:
            new = SubmissionRow(
                team=find_team(tx, old.team),
                name=old.name,
                description=old.description,
                digest=old.digest,
                path=old.path,
                is_baseline=old.is_baseline,
                is_example=old.is_example,
            )
            add_submission(tx, final_row, new)
    publisher.publish()
    return final, len(missing)


def _owner(item: StoredSubmission) -> tuple[str, str]:
    return owner_of(item.team, item.name, is_bundled=item.is_baseline or item.is_example)


def _with_fresh_seeds(config: RoundConfig) -> RoundConfig:
    ready = [task.name for task in config.task if task.kshot_data]
    if ready:
        raise UsageError(
            f"tasks {', '.join(ready)} take their k-shot sets from ready files (kshot_data); "
            "a final phase draws fresh ones from the pool"
        )
    tasks = tuple(task.model_copy(update={"kshot_seeds": _fresh_seeds(task.kshot_seeds)}) for task in config.task)
    changed = {
        "name": config.name + FINAL_SUFFIX,
        "title": f"{config.round.title or config.name}: final",
        "opens": None,
        "closes": None,
    }
    blind = VisibilityConfig(scores="published", curves="published", logs="published")
    final = config.model_copy(
        update={"round": config.round.model_copy(update=changed), "task": tasks, "visibility": blind}
    )
    try:
        return RoundConfig.model_validate_json(final.model_dump_json())
    except ValidationError as error:
        raise UsageError(f"round {config.name} cannot have a final: {error}") from error


def _fresh_seeds(used: tuple[int, ...]) -> tuple[int, ...]:
    """Return as many unused seeds, sorted."""
    fresh: set[int] = set()
    while len(fresh) < len(used):
        fresh.add(secrets.randbits(_SEED_BITS))
        fresh -= set(used)
    return tuple(sorted(fresh))
