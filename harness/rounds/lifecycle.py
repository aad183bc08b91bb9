"""Rounds between the round file and the store."""

from pydantic import ValidationError

from harness.config import FINAL_SUFFIX, MAX_NAME_CHARS, RoundConfig
from harness.errors import ConfigError, DataError, InfrastructureError, ModelError, UsageError
from harness.store import Phase, Publisher, RoundFacts, ScoringRule, SealedStore, StoredRound, TaskFacts
from harness.store.writer import utc_now
from harness.tasks import load_task_data
from harness.tasks.sources import missing_sources

__all__ = ["check_round", "create_round", "round_in_arena", "stored_config"]


def check_round(config: RoundConfig) -> None:
    """Check what a valid round file names: before its name and version are bound to it for ever.

    Raises:
        ConfigError: it has closed already, its name is that of a final or leaves no room for one, a file of
            the data or the model is not there, or local data cannot be used; every problem at once.
    """
    problems = missing_sources(config)
    closes = config.round.closes
    if closes is not None and closes <= utc_now():
        problems.insert(0, f"round.closes: {closes.isoformat()} has passed; expected a time to come")
    room = MAX_NAME_CHARS - len(FINAL_SUFFIX)
    if config.name.endswith(FINAL_SUFFIX):
        problems.insert(
            0,
            f"round.name: {config.name!r} ends with {FINAL_SUFFIX!r}, kept for what `gradfree round final` draws",
        )
    if len(config.base_name) > room:
        problems.insert(0, f"round.name: {config.name!r} has {len(config.name)} characters, at most {room}")
    if not problems:
        problems = _unusable_data(config)
    if problems:
        raise ConfigError(f"round {config.name!r}", problems)


def _unusable_data(config: RoundConfig) -> list[str]:
    """Load the tasks over local files: a wrong column would else show in the first run, when it is too late."""
    local = [task for task in config.task if task.data.startswith("files:")]
    if not local:
        return []
    from harness.session.arena import Arena  # noqa: PLC0415 (it loads torch, and toy rounds need no look)

    # On the CPU, wherever the round computes: this may be another machine.
    numeric = config.numeric.model_copy(update={"device": "cpu"})
    arena = Arena(config.model_copy(update={"numeric": numeric}))
    problems = []
    for task in local:
        try:
            # The words are looked up in the tokenizer, unless the model would have to be fetched for it.
            load_task_data(task) if config.model.source.startswith("hub:") else arena.task(task.name)
        except (DataError, ModelError) as error:
            problems.append(str(error))
    return problems


def create_round(
    store: SealedStore, publisher: Publisher, config: RoundConfig, phase: Phase = Phase.OPEN
) -> StoredRound:
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
        rule=ScoringRule(config.round.rule),
        max_submissions_per_day=config.round.max_submissions_per_day,
        max_submissions=config.round.max_submissions,
        is_registered_only=config.round.teams == "registered",
        is_practice=config.round.test_labels == "public",
        scores_from=Phase(config.visibility.scores),
        curves_from=Phase(config.visibility.curves),
        logs_from=Phase(config.visibility.logs),
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
    stored = store.add_round(facts, phase)
    publisher.publish()
    return stored


def round_in_arena(store: SealedStore, config: RoundConfig) -> RoundFacts:
    """Return a round as an arena has it.

    Raises:
        UsageError: the arena has no such round, or has it with other rules.
    """
    facts = store.get_round(config.name, config.round.version).facts
    if facts.digest != config.digest():
        raise UsageError(
            f"round {config.name} {config.round.version} has digest {facts.digest[:12]} in this arena, the "
            f"round given has {config.digest()[:12]}; pass the round file that the arena was created with"
        )
    return facts


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
