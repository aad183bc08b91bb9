import struct
from datetime import UTC, datetime

import pytest
from harness.store.writer import utc_now
from sample_arena import build_sample_arena, sample_round

from harness.errors import UsageError
from harness.records import Status, Usage, Verdict
from harness.store import (
    ArenaPaths,
    Phase,
    PublicStore,
    Publisher,
    RoundFacts,
    RunResult,
    ScoringRule,
    SealedStore,
    TaskFacts,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SENTINEL = 12.345678912345


@pytest.fixture
def paths(tmp_path):
    return ArenaPaths(tmp_path)


@pytest.fixture
def sealed(paths):
    with SealedStore.open(paths) as store:
        for team in ("Lynx", "Moths"):
            store.ensure_team(team)
        store.ensure_team("baselines", is_baseline_owner=True)
        yield store


@pytest.fixture
def publisher(paths, sealed):
    with Publisher.open(paths, sealed) as publisher:
        yield publisher


@pytest.fixture
def public(paths, publisher):
    with PublicStore.open(paths.public_db) as store:
        yield store


def add_round(sealed, rule=ScoringRule.FORCE_BEST, **task):
    tasks = tuple(TaskFacts(name, "accuracy", 3000, (8, 13), **task) for name in ("sst2", "snli"))
    sealed.add_round(RoundFacts("toy", "1.0", "a" * 64, "", tasks, rule=rule))


def enter(sealed, team, name, public, private=SENTINEL, calls=100, verdict=Verdict.OK, official=(), **more):
    """Hand in and finish; `official` says of the first runs whether they were isolated."""
    number = sealed.add_submission("toy", team, name, "b" * 64, "x", **more)
    marks = iter(official)
    while claim := sealed.claim_run("w", 60):
        is_official = next(marks, True)
        result = RunResult(
            verdict, public, private, Usage(calls=calls), 3000, NOW, NOW, is_official=is_official
        )
        sealed.finish_run(claim, sealed.start_attempt(claim), result)
    return number


def lines(public):
    return [(entry.name, entry.rank, entry.score) for entry in public.board("toy").entries]


def test_board_ranks_competitors_and_places_baselines_and_incomplete_ones(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    enter(sealed, "baselines", "bbt", 70.0, is_baseline=True)
    enter(sealed, "baselines", "random", 50.0, is_baseline=True)
    enter(sealed, "Moths", "broken", None, None, verdict=Verdict.RUNTIME_ERROR)
    publisher.publish()
    assert lines(public) == [
        ("good", 1, 80.0),
        ("bbt", None, 70.0),
        ("random", None, 50.0),
        ("broken", None, None),
    ]
    broken = public.board("toy").entries[-1]
    assert (broken.status, broken.verdict, broken.counts) == (Status.FAILED, Verdict.RUNTIME_ERROR, False)
    assert broken.task_scores == {"sst2": None, "snli": None}


def test_board_counts_the_best_or_the_last_submission_of_a_team(sealed, publisher, public):
    add_round(sealed, ScoringRule.FORCE_LAST)
    enter(sealed, "Lynx", "first", 80.0)
    enter(sealed, "Lynx", "second", 60.0)
    publisher.publish()
    assert lines(public) == [("second", 1, 60.0)]
    assert [entry.name for entry in public.submissions("toy")] == ["second", "first"]
    assert public.board("toy").n_submissions == 2


def test_entry_with_one_run_without_isolation_is_unofficial_and_not_ranked(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    number = enter(sealed, "Moths", "open", 90.0, official=[True, False])
    publisher.publish()
    assert lines(public) == [("open", None, 90.0), ("good", 1, 80.0)]
    assert [entry.is_official for entry in public.board("toy").entries] == [False, True]
    page = public.submission(number)
    assert page.entry.is_official is False
    assert sorted(run.is_official for run in page.runs) == [False, True, True, True]


def test_unofficial_submission_never_takes_the_place_of_an_official_one(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    enter(sealed, "Lynx", "open", 90.0, official=[False])
    publisher.publish()
    assert lines(public) == [("good", 1, 80.0)]


def add_upload(sealed, name, digest, score):
    return sealed.add_upload("toy", name, digest * 64, {"snli": score - 1, "sst2": score + 1}, score)


def test_uploads_are_hidden_where_the_scores_of_solvers_are(paths, sealed, publisher, public):
    tasks = tuple(TaskFacts(name, "accuracy", 3000, (8, 13)) for name in ("sst2", "snli"))
    sealed.add_round(RoundFacts("toy", "1.0", "a" * 64, "", tasks, scores_from=Phase.CLOSED))
    add_upload(sealed, "early", "e", SENTINEL)
    publisher.publish()
    assert public.board("toy").uploads == ()
    assert struct.pack(">d", SENTINEL) not in b"".join(
        path.read_bytes() for path in paths.home.glob("public.db*")
    )
    sealed.set_phase("toy", Phase.CLOSED)
    publisher.publish()
    assert [each.name for each in public.board("toy").uploads] == ["early"]


def test_a_frozen_board_shows_no_later_upload(sealed, publisher, public):
    add_round(sealed)
    add_upload(sealed, "before", "e", 60.0)
    sealed.set_phase("toy", Phase.FROZEN)
    add_upload(sealed, "after", "f", 70.0)
    publisher.publish()
    assert [each.name for each in public.board("toy").uploads] == ["before"]
    sealed.unfreeze("toy")
    publisher.publish()
    assert [each.name for each in public.board("toy").uploads] == ["after", "before"]


def test_uploads_stand_apart_best_first_and_follow_their_changes(paths, sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    before = publisher.publish()
    add_upload(sealed, "<b>one</b>", "e", 60.0)
    add_upload(sealed, "two", "f", 90.0)
    assert publisher.publish() == before + 1
    assert publisher.publish() == before + 1
    board = public.board("toy")
    assert lines(public) == [("good", 1, 80.0)]
    assert [(each.name, each.score) for each in board.uploads] == [("two", 90.0), ("<b>one</b>", 60.0)]
    assert list(board.uploads[0].task_scores.items()) == [("sst2", 91.0), ("snli", 89.0)]
    add_upload(sealed, "renamed", "e", 60.0)
    assert publisher.publish() == before + 2
    assert [each.name for each in public.board("toy").uploads] == ["two", "renamed"]
    kept = public.board("toy").uploads
    publisher.close()
    for path in paths.home.glob("public.db*"):
        path.unlink()
    with Publisher.open(paths, sealed) as again:
        again.publish()
    with PublicStore.open(paths.public_db) as derived:
        assert derived.board("toy").uploads == kept


def test_board_of_examples_has_a_row_per_solver(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "one", 80.0, is_example=True)
    enter(sealed, "Lynx", "two", 60.0, is_example=True)
    publisher.publish()
    assert lines(public) == [("one", 1, 80.0), ("two", 2, 60.0)]


def test_publish_again_without_a_change_keeps_the_version(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    first = publisher.publish()
    assert publisher.publish() == first == public.version()


def test_publish_raises_the_version_with_every_change(sealed, publisher, public):
    add_round(sealed)
    versions = [publisher.publish()]
    sealed.add_submission("toy", "Lynx", "x", "b" * 64, "x")
    versions.append(publisher.publish())
    claim = sealed.claim_run("w", 60)
    versions.append(publisher.publish())
    sealed.void_attempt(sealed.start_attempt(claim), "device lost")
    versions.append(publisher.publish())
    sealed.set_phase("toy", Phase.CLOSED)
    versions.append(publisher.publish())
    assert versions == [1, 2, 3, 4, 5]
    assert public.version() == 5


def test_crash_between_the_stores_is_mended_by_publishing_again(paths, sealed, publisher, public):
    add_round(sealed)
    publisher.publish()
    enter(sealed, "Lynx", "good", 80.0)
    assert lines(public) == []
    with SealedStore.open(paths) as reopened, Publisher.open(paths, reopened) as next_publisher:
        next_publisher.publish()
    assert lines(public) == [("good", 1, 80.0)]


def test_crash_while_publishing_leaves_the_old_board_whole(paths, sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    publisher.publish()
    enter(sealed, "Moths", "better", 90.0)

    def power_cut():
        raise KeyboardInterrupt

    with Publisher.open(paths, sealed, clock=power_cut) as dying, pytest.raises(KeyboardInterrupt):
        dying.publish()
    assert (lines(public), public.version()) == ([("good", 1, 80.0)], 1)
    publisher.publish()
    assert (lines(public), public.version()) == ([("better", 1, 90.0), ("good", 2, 80.0)], 2)


def test_deleted_public_store_is_derived_again(paths, sealed, publisher):
    add_round(sealed)
    number = enter(sealed, "Lynx", "good", 80.0)
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        before = (public.board("toy"), public.submission(number))
    publisher.close()
    for path in paths.home.glob("public.db*"):
        path.unlink()
    with Publisher.open(paths, sealed) as again:
        again.publish()
    with PublicStore.open(paths.public_db) as public:
        assert (public.board("toy"), public.submission(number)) == before


def public_bytes(paths):
    return b"".join(path.read_bytes() for path in sorted(paths.home.glob("public.db*")))


def test_private_scores_enter_the_public_store_with_publication_and_not_before(
    paths, sealed, publisher, public
):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    enter(sealed, "Moths", "lucky", 90.0, private=11.0)
    stored = struct.pack(">d", SENTINEL)
    publisher.publish()
    sealed.set_phase("toy", Phase.CLOSED)
    publisher.publish()
    assert stored not in public_bytes(paths)
    assert stored in paths.sealed_db.read_bytes() + paths.home.joinpath("sealed.db-wal").read_bytes()
    sealed.set_phase("toy", Phase.PUBLISHED)
    publisher.publish()
    assert stored in public_bytes(paths)
    assert lines(public) == [("good", 1, SENTINEL), ("lucky", 2, 11.0)]
    assert public.board("toy").round.is_final


def test_task_without_private_rows_keeps_its_public_score_after_publication(sealed, publisher, public):
    add_round(sealed, has_private_rows=False)
    enter(sealed, "Lynx", "good", 80.0, private=None)
    sealed.set_phase("toy", Phase.CLOSED)
    sealed.set_phase("toy", Phase.PUBLISHED)
    publisher.publish()
    assert lines(public) == [("good", 1, 80.0)]


def test_submission_page_has_runs_in_the_order_of_the_round(sealed, publisher, public):
    add_round(sealed)
    number = enter(sealed, "Lynx", "good", 80.0, calls=70)
    publisher.publish()
    page = public.submission(number)
    assert [(run.task, run.kshot_seed) for run in page.runs] == [
        ("sst2", 8),
        ("sst2", 13),
        ("snli", 8),
        ("snli", 13),
    ]
    assert (page.entry.calls, page.entry.budget_calls, page.entry.rank) == (280, 12_000, 1)


def test_unknown_round_and_submission_are_usage_errors(sealed, publisher, public):
    add_round(sealed)
    publisher.publish()
    with pytest.raises(UsageError, match=r"no round nope on this board; rounds: toy 1\.0"):
        public.board("nope")
    with pytest.raises(UsageError, match="no submission 9"):
        public.submission(9)


def test_sample_arena_holds_every_state(tmp_path):
    paths = ArenaPaths(tmp_path)
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    with PublicStore.open(paths.public_db) as public:
        board = public.board(sample_round().name)
    assert {entry.status for entry in board.entries} == {
        Status.FINISHED,
        Status.FAILED,
        Status.RUNNING,
        Status.QUEUED,
        Status.CANCELLED,
    }
    assert any(entry.n_runs_held for entry in board.entries)
    assert any(entry.is_flagged for entry in board.entries)
    assert [entry.name for entry in board.entries if not entry.is_official] == ["open window"]
    assert [upload.name for upload in board.uploads] == ["Unmetered"]
    assert [entry.rank for entry in board.entries if entry.rank] == [1, 2, 3, 4]
    assert all(entry.submitted_at <= utc_now() for entry in board.entries)
