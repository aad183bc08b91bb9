import re
import sqlite3
import struct
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from in_store import write
from sample_arena import build_sample_arena, sample_round
from small_round import small_round
from store_steps import enter as submit
from store_steps import finish, to_phase

from harness.errors import UsageError
from harness.metrics.ranking import ScoringRule
from harness.records import Phase, RunSummary, Status, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed import rounds as sealed_rounds
from harness.store.sealed import uploads as sealed_uploads
from harness.store.sealed.attempts import start_attempt, void_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore, utc_now
from harness.store.sealed.teams import ensure_team

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SENTINEL = 12.345678912345
STORED = str(SENTINEL).encode()
"""As a document holds it: JSON text."""
LABELS = np.arange(20) % 2


@pytest.fixture
def paths(tmp_path):
    return ArenaPaths(tmp_path)


@pytest.fixture
def sealed(paths):
    with SealedStore.open(paths) as store:
        for team in ("Lynx", "Moths"):
            write(store, ensure_team, team)
        write(store, ensure_team, "baselines", is_baseline_owner=True)
        yield store


@pytest.fixture
def publisher(paths, sealed):
    with Publisher.open(paths, sealed) as publisher:
        yield publisher


@pytest.fixture
def public(paths, publisher):
    with PublicStore.open(paths.public_db) as store:
        yield store


def add_round(sealed, rule=ScoringRule.FORCE_BEST, **more):
    tasks = [(name, "accuracy", 3000, (8, 13)) for name in ("sst2", "snli")]
    write(sealed, sealed_rounds.add_round, small_round(*tasks, rule=rule, **more))


def enter(sealed, team, name, public, private=SENTINEL, calls=100, verdict=Verdict.OK, official=(), **more):
    """Submit and finish; `official` tells whether each of the first runs was isolated."""
    number = submit(sealed, team, name, **more)
    marks = iter(official)
    while claim := write(sealed, claim_run, "w", 60):
        usage, is_official = Usage(calls=calls), next(marks, True)
        summary = RunSummary(verdict, public, private, usage, NOW, NOW, is_official=is_official)
        finish(sealed, claim, summary)
    return number


def lines(public):
    return [(entry.solver, entry.rank, entry.score) for entry in public.board("toy").entries]


def test_board_ranks_competitors_and_places_baselines_and_incomplete_ones(sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    enter(sealed, "baselines", "bbt", 70.0, is_baseline=True)
    enter(sealed, "baselines", "random", 50.0, is_baseline=True)
    enter(sealed, "Moths", "broken", None, None, verdict=Verdict.RUNTIME_ERROR)
    publisher.publish()
    assert lines(public) == [("good", 1, 80.0), ("bbt", None, 70.0), ("random", None, 50.0), ("broken", None, None)]
    broken = public.board("toy").entries[-1]
    assert (broken.status, broken.verdict, broken.counts) == (Status.FAILED, Verdict.RUNTIME_ERROR, False)
    assert broken.task_scores == {"sst2": None, "snli": None}


def test_board_counts_the_best_or_the_last_submission_of_a_team(sealed, publisher, public):
    add_round(sealed, ScoringRule.FORCE_LAST)
    enter(sealed, "Lynx", "first", 80.0)
    enter(sealed, "Lynx", "second", 60.0)
    publisher.publish()
    assert lines(public) == [("second", 1, 60.0)]
    assert [entry.solver for entry in public.submissions("toy")] == ["second", "first"]
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
    with sealed.write() as tx:
        return sealed_uploads.add_upload(
            tx,
            find_round(tx, "toy"),
            name=name,
            digest=digest * 64,
            score=score,
            task_scores={"snli": score - 1, "sst2": score + 1},
        )


def test_uploads_are_hidden_where_the_scores_of_solvers_are(paths, sealed, publisher, public):
    add_round(sealed, visibility={"scores": "closed"})
    add_upload(sealed, "early", "e", SENTINEL)
    publisher.publish()
    assert public.board("toy").uploads == ()
    assert STORED not in public_bytes(paths)
    to_phase(sealed, Phase.CLOSED)
    publisher.publish()
    assert [each.name for each in public.board("toy").uploads] == ["early"]


def test_a_frozen_board_shows_no_later_upload(sealed, publisher, public):
    add_round(sealed)
    add_upload(sealed, "before", "e", 60.0)
    to_phase(sealed, Phase.FROZEN)
    add_upload(sealed, "after", "f", 70.0)
    publisher.publish()
    assert [each.name for each in public.board("toy").uploads] == ["before"]
    with sealed.write() as tx:
        sealed_rounds.unfreeze(tx, find_round(tx, "toy"))
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
    submit(sealed, "Lynx", "x")
    versions.append(publisher.publish())
    claim = write(sealed, claim_run, "w", 60)
    versions.append(publisher.publish())
    write(sealed, void_attempt, write(sealed, start_attempt, claim), "device lost")
    versions.append(publisher.publish())
    to_phase(sealed, Phase.CLOSED)
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


def test_crash_while_publishing_leaves_the_old_board_whole(sealed, publisher, public, monkeypatch):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    publisher.publish()
    enter(sealed, "Moths", "better", 90.0)

    def power_cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        # The entries are written by then, and nothing is committed.
        dying.setattr("harness.store.public.publisher.place_entries", power_cut)
        with pytest.raises(KeyboardInterrupt):
            publisher.publish()
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


def test_private_scores_enter_the_public_store_with_publication_and_not_before(paths, sealed, publisher, public):
    add_round(sealed)
    enter(sealed, "Lynx", "good", 80.0)
    enter(sealed, "Moths", "lucky", 90.0, private=11.0)
    publisher.publish()
    to_phase(sealed, Phase.CLOSED)
    publisher.publish()
    assert STORED not in public_bytes(paths)
    assert STORED in paths.sealed_db.read_bytes() + paths.home.joinpath("sealed.db-wal").read_bytes()
    to_phase(sealed, Phase.PUBLISHED)
    publisher.publish()
    assert STORED in public_bytes(paths)
    assert lines(public) == [("good", 1, SENTINEL), ("lucky", 2, 11.0)]
    assert public.board("toy").round.is_final


def numbers_of(paths):
    """Every number with decimals that any text or column of the public store holds."""
    found = set()
    with closing(sqlite3.connect(paths.public_db)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f"SELECT * FROM {table}"):
                found |= {value for value in row if isinstance(value, float)}
                for text in (value for value in row if isinstance(value, str)):
                    found |= {float(number) for number in re.findall(r"\d+\.\d+(?:[eE][-+]?\d+)?", text)}
    return np.array(sorted(found))


@pytest.mark.parametrize("shown_from", ["open", "closed"])
def test_no_number_of_the_public_store_is_a_private_score_before_publication(paths, sealed, publisher, shown_from):
    """Neither of a run or an incumbent, nor a mean of them: whatever the round shows, in every phase."""
    add_round(sealed, visibility={"scores": shown_from, "curves": shown_from, "logs": shown_from})
    rng = np.random.default_rng(3)
    private = []
    for team, name in (("Lynx", "a"), ("Moths", "b"), ("baselines", "manual"), ("Lynx", "c")):
        submit(sealed, team, name, is_baseline=team == "baselines")
        of_runs = []
        while claim := write(sealed, claim_run, "w", 60):
            public, hidden, early = (float(score) for score in rng.uniform(0, 100, 3))
            summary = RunSummary(
                Verdict.OK, public, hidden, Usage(calls=50), NOW, NOW,
                incumbents=((5, public / 2, early), (50, public, hidden)), train_losses=((5, 0.5),),
            )  # fmt: skip
            finish(sealed, claim, summary, (LABELS + claim.run_id) % 2)
            of_runs.append(hidden)
            private.append(early)
        # Claimed in the order (sst2, snli) of each seed; the total is the mean of the tasks' means.
        private += [*of_runs, *np.mean(np.reshape(of_runs, (2, 2)), axis=0), np.mean(of_runs)]

    def n_leaked():
        publisher.publish()
        shown = numbers_of(paths)
        return sum(bool(np.isclose(shown, score, rtol=0, atol=1e-7).any()) for score in private)

    assert n_leaked() == 0
    for phase in (Phase.FROZEN, Phase.CLOSED):
        to_phase(sealed, phase)
        assert n_leaked() == 0
    raw = public_bytes(paths)
    for score in private:
        assert repr(float(score)).encode() not in raw
        assert struct.pack(">d", score) not in raw
        assert struct.pack("<d", score) not in raw
    to_phase(sealed, Phase.PUBLISHED)
    assert n_leaked() == len(private)


def test_a_field_of_the_round_file_reaches_the_board(sealed, publisher, public):
    add_round(sealed, title="Spring <b>tuning</b>")
    publisher.publish()
    assert public.board("toy").round.title == "Spring <b>tuning</b>"
    assert [each.title for each in public.rounds()] == ["Spring <b>tuning</b>"]


def test_task_without_private_rows_keeps_its_public_score_after_publication(sealed, publisher, public):
    add_round(sealed, public_fraction=1.0)
    enter(sealed, "Lynx", "good", 80.0, private=None)
    to_phase(sealed, Phase.CLOSED)
    to_phase(sealed, Phase.PUBLISHED)
    publisher.publish()
    assert lines(public) == [("good", 1, 80.0)]


def test_submission_page_has_runs_in_the_order_of_the_round(sealed, publisher, public):
    add_round(sealed)
    number = enter(sealed, "Lynx", "good", 80.0, calls=70)
    publisher.publish()
    page = public.submission(number)
    assert [(run.task, run.kshot_seed) for run in page.runs] == [("sst2", 8), ("sst2", 13), ("snli", 8), ("snli", 13)]
    assert (page.entry.calls, page.entry.budget_calls, page.entry.rank) == (280, 12_000, 1)


def test_unknown_round_and_submission_are_usage_errors(sealed, publisher, public):
    add_round(sealed)
    publisher.publish()
    with pytest.raises(UsageError, match=r"no round nope; rounds: toy 1\.0"):
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
    assert any(entry.is_checkpoint for entry in board.entries)
    assert [entry.solver for entry in board.entries if not entry.is_official] == ["open window"]
    assert [upload.name for upload in board.uploads] == ["Unmetered"]
    assert [entry.rank for entry in board.entries if entry.rank] == [1, 2, 3, 4]
    assert all(entry.submitted_at <= utc_now() for entry in board.entries)
