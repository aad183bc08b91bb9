"""The final phase: everybody's standing submission once more, on k-shot seeds that nobody could know.

The seeds are drawn from the operating system after the round has closed. So nothing that a team learned by
submitting, and nothing that its logs carried out, was learned on the rows that decide.
"""

import secrets

from pydantic import ValidationError

from harness.config import FINAL_SUFFIX, RoundConfig, VisibilityConfig
from harness.errors import UsageError
from harness.metrics.ranking import owner_of
from harness.rounds.lifecycle import create_round, stored_config
from harness.store import Phase, Publisher, SealedStore, StoredRound, StoredSubmission
from harness.store.round_names import with_version
from harness.store.writer import utc_now

__all__ = ["draw_final"]

_SEED_BITS = 31


def draw_final(store: SealedStore, publisher: Publisher, name: str) -> tuple[StoredRound, int]:
    """Make the final round of a closed one and queue its standing submissions.

    Those are what stands by every result there is: a frozen or blind board hides none of them. The final
    itself is blind: scores, curves and logs show with its publication.

    Again, it draws nothing anew and queues whoever is not in it yet: nobody, unless the first call died in
    its middle. Everybody has one entry, whatever stands by now.

    Returns:
        The final round, and how many submissions were queued in it by this call.

    Raises:
        UsageError: the round is not closed, a submission has not ended, a rejudge is staged, or its k-shot
            sets come from ready files, so that no fresh ones can be drawn.
    """
    stored = store.get_round(name)
    final_name = stored.facts.name + FINAL_SUFFIX
    known = [
        item
        for item in store.list_rounds()
        if (item.facts.name, item.facts.version) == (final_name, stored.facts.version)
    ]
    phase = stored.phase_at(utc_now())
    if not phase.has_reached(Phase.CLOSED):
        raise UsageError(f"round {name} is {phase}; close it first: gradfree round close {name}")
    waiting = [item.submission_id for item in store.list_submissions(name) if item.finished_at is None]
    if waiting:
        raise UsageError(f"submissions {waiting} of round {name} have not ended; let a worker finish them")
    store.refuse_staged_rejudge(name)
    config = stored_config(known[0]) if known else _with_fresh_seeds(stored_config(stored))
    final = known[0] if known else create_round(store, publisher, config, Phase.CLOSED)
    entered = {
        _owner(item) for item in store.list_submissions(with_version(config.name, config.round.version))
    }
    # As they were handed in: in the order of the standings their new numbers would tell private ranks.
    standing = sorted(entry.submission_id for entry in store.standings(name))
    chosen = [store.get_submission(number) for number in standing]
    missing = [item for item in chosen if _owner(item) not in entered]
    for old in missing:
        store.add_submission(
            config.name,
            old.team,
            old.name,
            old.digest,
            old.path,
            description=old.description,
            is_baseline=old.is_baseline,
            is_example=old.is_example,
            round_version=config.round.version,
            is_entered_by_organizer=True,
        )
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
    tasks = tuple(
        task.model_copy(update={"kshot_seeds": _fresh_seeds(task.kshot_seeds)}) for task in config.task
    )
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
    """Return as many seeds, none of them used before."""
    fresh: set[int] = set()
    while len(fresh) < len(used):
        fresh.add(secrets.randbits(_SEED_BITS))
        fresh -= set(used)
    return tuple(sorted(fresh))
