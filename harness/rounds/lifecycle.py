"""Rounds between the round file and the store."""

from pydantic import ValidationError

from harness.config import RoundConfig
from harness.errors import InfrastructureError
from harness.store import Publisher, RoundFacts, SealedStore, StoredRound, TaskFacts

__all__ = ["create_round", "stored_config"]


def create_round(store: SealedStore, publisher: Publisher, config: RoundConfig) -> StoredRound:
    """Store a round and show it on the board. The same rules again change nothing.

    Raises:
        UsageError: the same name and version is stored with other rules.
    """
    facts = RoundFacts(
        name=config.name,
        version=config.round.version,
        digest=config.digest(),
        rules_json=config.canonical_json(),
        title=config.round.title,
        opens=config.round.opens,
        closes=config.round.closes,
        tasks=tuple(
            TaskFacts(
                name=task.name,
                metric=task.metric,
                budget_calls=task.budget_calls,
                kshot_seeds=task.kshot_seeds,
                has_private_rows=task.public_fraction < 1,
            )
            for task in config.task
        ),
    )
    stored = store.add_round(facts)
    publisher.publish()
    return stored


def stored_config(stored: StoredRound) -> RoundConfig:
    """Return the rules that a stored round was created with.

    Raises:
        InfrastructureError: this version of the code reads them no more, or they were changed.
    """
    try:
        config = RoundConfig.model_validate_json(stored.facts.rules_json)
    except ValidationError as error:
        raise InfrastructureError(
            f"round {stored.facts.name!r} was stored by another version of the code: {error}"
        ) from error
    if config.digest() != stored.facts.digest:
        raise InfrastructureError(f"round {stored.facts.name!r}: the stored rules do not match their digest")
    return config
