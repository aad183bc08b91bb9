"""What the publisher writes for the board beside scores."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from in_store import read, write
from sample_arena import SAMPLE_TASKS, build_sample_arena, sample_round
from store_steps import cancel

from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.public.rules import public_rules
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions
from harness.store.sealed.teams import ensure_team
from harness.store.sealed.uploads import add_upload


def changed_round(source, data=None):
    """The sample round with another model, and other data of its first task."""
    config = sample_round()
    first, *others = config.task
    if data is not None:
        first = first.model_copy(update={"data": data})
    model = config.model.model_copy(update={"source": source})
    return config.model_copy(update={"model": model, "task": (first, *others)})


def test_rules_leave_out_the_seed_and_the_paths_of_this_machine():
    config = changed_round("path:/home/somebody/models/tiny", "files:/home/somebody/data")
    shown = public_rules(config)
    assert str(config.round.seed) not in json.dumps(shown)
    assert shown["model"]["source"] == "path:tiny"
    assert shown["task"]["sst2"]["data"] == "files:data"
    assert "somebody" not in json.dumps(shown)


def test_rules_of_a_place_beside_the_round_are_shown_as_written():
    config = changed_round("path:@shared/models/tiny")
    assert public_rules(config)["model"]["source"] == "path:@shared/models/tiny"


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path)
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    return paths


def test_no_progress_is_reported_of_a_run_that_was_cancelled(arena):
    with (
        SealedStore.open(arena) as sealed,
        Publisher.open(arena, sealed) as publisher,
        PublicStore.open(arena.public_db) as public,
    ):
        claim = write(sealed, claim_run, "x", 600)
        publisher.publish()
        publisher.report(claim, 7, 0.5)
        cancel(sealed, claim.submission_id)
        publisher.publish()
        # Its worker learns it only from the next heartbeat.
        publisher.report(claim, 8, 0.4)
        assert public.progress(claim.submission_id) == ()


def test_progress_shows_without_a_new_version_and_goes_when_the_run_ends(arena):
    with (
        SealedStore.open(arena) as sealed,
        Publisher.open(arena, sealed) as publisher,
        PublicStore.open(arena.public_db) as public,
    ):
        claim = write(sealed, claim_run, "x", 600)
        publisher.publish()
        version = public.version()
        publisher.report(claim, 7, 0.5)
        publisher.report(claim, 9, None)
        (shown,) = [each for each in public.progress(claim.submission_id) if each.calls == 9]
        assert (shown.task, shown.best_train_loss) == (claim.task, None)
        assert public.version() == version
        cancel(sealed, claim.submission_id, "test")
        publisher.publish()
        assert public.progress(claim.submission_id) == ()


def test_change_of_rank_is_against_the_ranking_a_week_before(arena):
    now = datetime(2026, 12, 24, tzinfo=UTC) + timedelta(days=30)
    with SealedStore.open(arena, clock=lambda: now) as sealed, Publisher.open(arena, sealed) as publisher:
        write(sealed, ensure_team, "New")
        with sealed.write() as tx:
            row, scores = find_round(tx, "sample"), dict.fromkeys(SAMPLE_TASKS, 1.0)
            add_upload(tx, row, name="x", digest="1" * 64, score=1.0, task_scores=scores)
        running = next(each for each in read(sealed, list_submissions) if each.status == "running")
        cancel(sealed, running.submission_id, "test")
        publisher.publish()
    with PublicStore.open(arena.public_db) as public:
        changes = {entry.solver: entry.change for entry in public.board("sample").entries if entry.rank}
    # Everything is older than a week by then, so nobody is new and nobody moved.
    assert set(changes.values()) == {0}
