"""Checking a round file, and storing it as a round of an arena."""

from harness.config import FINAL_SUFFIX, MAX_NAME_CHARS, RoundConfig
from harness.errors import ConfigError, DataError, ModelError, UsageError
from harness.records import Phase
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import add_round, find_round
from harness.store.sealed.schema import RoundRow
from harness.store.sealed.store import SealedStore, Transaction, utc_now
from harness.tasks import load_task_data
from harness.tasks.sources import missing_sources

__all__ = ["check_round", "create_round", "same_round"]


def check_round(config: RoundConfig) -> None:
    """Check a valid round file, its data and its model, before the round is stored.

    Raises:
        ConfigError: the round has closed already, its name is reserved for a final or too long for one, a file
            of the data or the model is missing, or local data cannot be used; lists every problem.
    """
    problems = missing_sources(config)
    closes = config.round.closes
    if closes is not None and closes <= utc_now():
        problems.insert(0, f"round.closes: {closes.isoformat()} has passed; expected a time in the future")
    room = MAX_NAME_CHARS - len(FINAL_SUFFIX)
    if config.name.endswith(FINAL_SUFFIX):
        problems.insert(
            0, f"round.name: {config.name!r} ends with {FINAL_SUFFIX!r}, reserved for `gradfree round final`"
        )
    if len(config.base_name) > room:
        problems.insert(0, f"round.name: {config.name!r} has {len(config.name)} characters, at most {room}")
    if not problems:
        problems = _unusable_data(config)
    if problems:
        raise ConfigError(f"round {config.name!r}", problems)


def _unusable_data(config: RoundConfig) -> list[str]:
    """Load the tasks on local files, so that a wrong column is found before the first run; return the problems."""
    local = [task for task in config.task if task.data.startswith("files:")]
    if not local:
        return []
    from harness.session.loaded_round import LoadedRound  # noqa: PLC0415 (loads torch, not needed for toy rounds)

    # On the CPU: this machine may lack the device of the round.
    numeric = config.numeric.model_copy(update={"device": "cpu"})
    loaded = LoadedRound(config.model_copy(update={"numeric": numeric}))
    problems = []
    for task in local:
        try:
            # Check the words with the tokenizer, unless that would download the model.
            load_task_data(task) if config.model.source.startswith("hub:") else loaded.task(task.name)
        except (DataError, ModelError) as error:
            problems.append(str(error))
    return problems


def create_round(store: SealedStore, publisher: Publisher, config: RoundConfig, phase: Phase = Phase.OPEN) -> RoundRow:
    """Store a round and publish it on the board; idempotent for equal rules.

    Raises:
        UsageError: the name and version are stored with other rules.
    """
    with store.write() as tx:
        stored = add_round(tx, config, phase)
    publisher.publish()
    return stored


def same_round(tx: Transaction, config: RoundConfig) -> RoundRow:
    """Return the row of a round of an arena.

    Raises:
        UsageError: the arena has no such round, or has it with other rules.
    """
    row = find_round(tx, config.name, config.version)
    if row.digest != config.digest():
        raise UsageError(
            f"round {row.full_name} has digest {row.digest[:12]} in this arena, the round given has "
            f"{config.digest()[:12]}; pass the round file that the arena was created with"
        )
    return row
