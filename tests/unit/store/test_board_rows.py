"""What the publisher writes for the board beside scores."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from harness.store.curves import SPARKLINE_POINTS, mean_curve
from harness.store.public_rules import public_rules
from sample_arena import build_sample_arena, sample_round

from harness.store import ArenaPaths, PublicStore, Publisher, SealedStore


def test_mean_curve_starts_where_every_run_has_a_loss():
    early, late = [(1, 1.0), (100, 0.0)], [(10, 2.0)]
    means = mean_curve([(early, 100), (late, 100)])
    assert means[0] == 1.5
    assert means[-1] == 1.0
    assert len(means) < SPARKLINE_POINTS
    assert mean_curve([]) == []


def test_rules_leave_out_the_seed_and_the_paths_of_this_machine():
    rules = json.loads(sample_round().rules_json)
    rules["model"]["source"] = "path:/home/somebody/models/tiny"
    rules["task"][0]["data"] = "files:/home/somebody/data"
    shown = public_rules(json.dumps(rules))
    assert str(rules["round"]["seed"]) not in json.dumps(shown)
    assert shown["model"]["source"] == "path:tiny"
    assert "somebody" not in json.dumps(shown)
    assert public_rules("") == {}


def test_rules_of_a_place_beside_the_round_are_shown_as_written():
    rules = json.loads(sample_round().rules_json)
    rules["model"]["source"] = "path:@shared/models/tiny"
    assert public_rules(json.dumps(rules))["model"]["source"] == "path:@shared/models/tiny"


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
        claim = sealed.claim_run("x", 600)
        publisher.publish()
        publisher.report(claim, 7, 0.5)
        sealed.cancel_submission(claim.submission_id)
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
        claim = sealed.claim_run("x", 600)
        publisher.publish()
        version = public.version()
        publisher.report(claim, 7, 0.5)
        publisher.report(claim, 9, None)
        (shown,) = [each for each in public.progress(claim.submission_id) if each.calls == 9]
        assert (shown.task, shown.best_train_loss) == (claim.task, None)
        assert public.version() == version
        sealed.cancel_submission(claim.submission_id, "test")
        publisher.publish()
        assert public.progress(claim.submission_id) == ()


def test_change_of_rank_is_against_the_ranking_a_week_before(arena):
    clock = datetime(2026, 12, 24, tzinfo=UTC) + timedelta(days=30)
    with SealedStore.open(arena) as sealed, Publisher.open(arena, sealed, clock=lambda: clock) as publisher:
        sealed.ensure_team("New")
        sealed.add_upload("sample", "x", "1" * 64, dict.fromkeys(json_tasks(sealed), 1.0), 1.0)
        sealed.cancel_submission(
            next(each.submission_id for each in sealed.list_submissions() if each.status == "running"), "test"
        )
        publisher.publish()
    with PublicStore.open(arena.public_db) as public:
        changes = {entry.name: entry.change for entry in public.board("sample").entries if entry.rank}
    # Everything is older than a week by then, so nobody is new and nobody moved.
    assert set(changes.values()) == {0}


def json_tasks(sealed):
    return [task.name for task in sealed.find_round("sample").facts.tasks]
