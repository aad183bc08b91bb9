"""What the board shows beside the score: tiers, frontier, efficiency, freezing, phases by the clock."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from in_store import read, write
from small_round import small_round
from store_steps import add_rejudge, cancel, end_rejudge, finish, finish_all, repeat, to_phase
from store_steps import enter as submit

from harness.errors import InfrastructureError, UsageError
from harness.records import Phase, RunSummary, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed import rounds as sealed_rounds
from harness.store.sealed.claims import claim_run
from harness.store.sealed.replicates import TestSet, keep_test_set
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions
from harness.store.sealed.teams import ensure_team

START = datetime(2020, 11, 1, tzinfo=UTC)
LABELS = np.random.default_rng(0).integers(0, 2, 200)
IS_PUBLIC = np.arange(200) % 2 == 0
SEEDS = (8, 13)


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def arena(tmp_path, clock):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths, clock=clock) as sealed, Publisher.open(paths, sealed) as publisher:
        yield sealed, publisher, paths


def add_round(sealed, **more):
    tasks = (("sst2", "accuracy", 400, SEEDS), ("snli", "f1_macro", 400, SEEDS))
    write(sealed, sealed_rounds.add_round, small_round(*tasks, **more))
    for task, *_ in tasks:
        keep(sealed, task)


def keep(sealed, task, labels=LABELS):
    with sealed.write() as tx:
        keep_test_set(tx, find_round(tx, "toy"), task, TestSet(labels, IS_PUBLIC, 2, "d" * 64))


def summary_of(public, private=60.0):
    return RunSummary(Verdict.OK, public, private, Usage(calls=100), START, START)


def enter(sealed, name, share, calls=100, team=None, baseline=False, curve=(), official=True):
    """Submit and finish with predictions of which a share is right; the score is that share."""
    team = team or name
    write(sealed, ensure_team, team, is_baseline_owner=baseline)
    number = submit(sealed, team, name, is_baseline=baseline)
    while claim := write(sealed, claim_run, "w", 60):
        generator = np.random.default_rng([claim.run_id, 1])
        predictions = np.where(generator.random(LABELS.size) < share, LABELS, 1 - LABELS)
        summary = RunSummary(
            Verdict.OK, 100 * share, 90 * share, Usage(calls=calls, tokens=5, engine_s=1.0), START, START,
            incumbents=curve, solve_s=2.0, is_official=official,
        )  # fmt: skip
        finish(sealed, claim, summary, predictions)
    return number


def board(paths):
    with PublicStore.open(paths.public_db) as public:
        return public.board("toy")


def test_board_rows_carry_tier_frontier_and_standard_error(arena):
    sealed, publisher, paths = arena
    add_round(sealed)
    for name, share, calls in (("a", 0.90, 300), ("b", 0.89, 200), ("c", 0.55, 250), ("d", 0.54, 10)):
        enter(sealed, name, share, calls)
    publisher.publish()
    entries = board(paths).entries
    assert [(entry.solver, entry.tier, entry.is_pareto) for entry in entries] == [
        ("a", 1, True),
        ("b", 1, True),
        ("c", 2, False),
        ("d", 2, True),
    ]
    assert all(0.5 < entry.standard_error < 10 for entry in entries)


def test_what_ran_without_a_sandbox_takes_nobody_off_the_frontier(arena):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.6, 200)
    enter(sealed, "b", 0.9, 100, official=False)
    publisher.publish()
    assert {entry.solver: entry.is_pareto for entry in board(paths).entries} == {"a": True, "b": False}


def test_a_result_that_another_publisher_showed_before_its_bootstrap_gets_its_tier_after_it(arena, monkeypatch):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.9)
    with monkeypatch.context() as between:
        # The run ends when the other one has derived, and before it reads.
        between.setattr("harness.store.public.publisher.derive_replicates", lambda _: None)
        publisher.publish()
    assert [entry.tier for entry in board(paths).entries] == [None]
    publisher.publish()
    assert [entry.tier for entry in board(paths).entries] == [1]


def test_an_entry_without_known_labels_has_no_tier(arena):
    sealed, publisher, paths = arena
    write(sealed, sealed_rounds.add_round, small_round(("sst2", "accuracy", 400, SEEDS)))
    enter(sealed, "a", 0.9)
    publisher.publish()
    (entry,) = board(paths).entries
    assert (entry.tier, entry.standard_error, entry.is_pareto) == (None, None, True)


def test_other_test_rows_than_before_are_a_platform_error(arena):
    sealed, _, _ = arena
    add_round(sealed)
    keep(sealed, "sst2")
    with pytest.raises(InfrastructureError, match="restore the data"):
        keep(sealed, "sst2", 1 - LABELS)


def test_test_curves_and_efficiency_show_with_publication_and_on_the_rows_that_rank(arena):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "manual", 0.5, 0, team="reference", baseline=True, curve=((0, 50.0, 45.0),))
    number = enter(sealed, "a", 0.9, curve=((20, 75.0, 72.5), (400, 90.0, 81.0)))
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        assert public.submission(number).entry.efficiency is None
        assert all(not curve.scores for curve in public.submission(number).curves)
    to_phase(sealed, Phase.CLOSED)
    to_phase(sealed, Phase.PUBLISHED)
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        page = public.submission(number)
    assert page.curves[0].scores == {8: ((20, 72.5), (400, 81.0)), 13: ((20, 72.5), (400, 81.0))}
    # Half of the way to a perfect score, for the last factor 20 of a budget of 400: half of its logarithm.
    assert page.entry.efficiency == pytest.approx(0.25)
    scores = {entry.solver: entry.efficiency for entry in board(paths).entries}
    assert scores["manual"] == pytest.approx(0.0)


def test_efficiency_of_entries_that_ended_before_the_manual_prompt_follows(arena):
    sealed, publisher, paths = arena
    add_round(sealed, visibility={"curves": "open"})
    enter(sealed, "a", 0.9, curve=((20, 75.0, 72.5),))
    publisher.publish()
    assert board(paths).entries[0].efficiency is None
    enter(sealed, "manual", 0.5, 0, team="reference", baseline=True, curve=((0, 50.0, 45.0),))
    publisher.publish()
    assert board(paths).entries[0].efficiency == pytest.approx(0.25)


def test_a_frozen_board_stands_still_and_shows_everything_when_unfrozen(arena, clock):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.8)
    clock.now += timedelta(hours=1)
    to_phase(sealed, Phase.FROZEN)
    clock.now += timedelta(hours=1)
    number = enter(sealed, "b", 0.9, curve=((1, 50.0, 50.0),))
    publisher.publish()
    shown = board(paths)
    assert shown.round.phase is Phase.FROZEN
    assert [(entry.solver, entry.rank) for entry in shown.entries] == [("a", 1), ("b", None)]
    with PublicStore.open(paths.public_db) as public:
        page = public.submission(number)
    assert (page.entry.score, page.entry.verdict, page.entry.calls, page.curves) == (None, None, 0, ())
    assert (page.entry.tokens, page.entry.engine_s, page.entry.wall_s) == (0, 0.0, 0.0)
    assert {(run.score, run.verdict, run.calls, run.engine_s) for run in page.runs} == {(None, None, 0, None)}
    to_phase(sealed, Phase.CLOSED)
    publisher.publish()
    assert [(entry.solver, entry.rank) for entry in board(paths).entries] == [("a", 1), ("b", None)]
    with sealed.write() as tx:
        sealed_rounds.unfreeze(tx, find_round(tx, "toy"))
    publisher.publish()
    assert board(paths).round.phase is Phase.CLOSED
    assert [(entry.solver, entry.rank) for entry in board(paths).entries] == [("b", 1), ("a", 2)]


def test_a_rejudge_applied_under_a_frozen_board_corrects_what_is_on_it_and_shows_nothing_else(arena, clock):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.8)
    clock.now += timedelta(hours=1)
    to_phase(sealed, Phase.FROZEN)
    clock.now += timedelta(hours=1)
    enter(sealed, "b", 0.9)
    add_rejudge(sealed, "the scorer was wrong")
    finish_all(sealed, summary_of(70.0))
    end_rejudge(sealed, is_applied=True)
    publisher.publish()
    assert [(entry.solver, entry.score) for entry in board(paths).entries] == [("a", 70.0), ("b", None)]


def test_a_blind_round_keeps_its_noise_floor_to_itself(arena):
    sealed, publisher, paths = arena
    add_round(sealed, visibility={"scores": "closed"})
    enter(sealed, "bbtv2", 0.8, team="reference", baseline=True)
    repeat(sealed, "bbtv2", 2)
    while claim := write(sealed, claim_run, "w", 60):
        finish(sealed, claim, summary_of(70.0 + claim.run_id))
    publisher.publish()
    assert board(paths).round.noise == {}
    to_phase(sealed, Phase.CLOSED)
    publisher.publish()
    assert set(board(paths).round.noise) == {"bbtv2"}


def test_repeats_are_of_the_baseline_as_it_stands(arena):
    """What was cancelled is filled up again, under a seed that was not used before."""
    sealed, _, _ = arena
    add_round(sealed)
    write(sealed, ensure_team, "reference", is_baseline_owner=True)
    numbers = [submit(sealed, "reference", "bbtv2", digest=digest * 64, is_baseline=True) for digest in "ab"]
    cancel(sealed, numbers[0])

    def repeats():
        everything = read(sealed, list_submissions, is_everything=True)
        return [item for item in everything if item.submission_id not in numbers]

    assert repeat(sealed, "bbtv2", 2) == 2
    assert {item.digest for item in repeats()} == {"b" * 64}
    assert repeat(sealed, "bbtv2", 2) == 0
    cancel(sealed, repeats()[0].submission_id)
    assert repeat(sealed, "bbtv2", 2) == 1
    assert len(repeats()) == 3
    # The same files again, as `--again` enters them: what they have been repeated by counts.
    numbers.append(submit(sealed, "reference", "bbtv2", is_baseline=True))
    assert repeat(sealed, "bbtv2", 3) == 1
    seeds = [run.solver_seed for item in repeats() for run in item.runs]
    assert len(set(seeds)) == len(seeds)


def test_a_noise_floor_is_that_of_the_newest_files(arena):
    sealed, publisher, paths = arena
    add_round(sealed)
    write(sealed, ensure_team, "reference", is_baseline_owner=True)
    for digest, level, n_repeats in (("a", 10.0, 3), ("b", 70.0, 2)):
        submit(sealed, "reference", "bbtv2", digest=digest * 64, is_baseline=True)
        repeat(sealed, "bbtv2", n_repeats)
        while claim := write(sealed, claim_run, "w", 60):
            score = level + claim.submission_id % 2
            finish(sealed, claim, summary_of(score, score))
    publisher.publish()
    floor = board(paths).round.noise["bbtv2"]
    assert (floor.n_repeats, floor.mean) == (2, pytest.approx(70.5))


def test_a_blind_round_shows_no_score_before_its_phase_and_follows_the_clock(arena, clock):
    sealed, publisher, paths = arena
    add_round(sealed, visibility={"scores": "closed"}, closes=START + timedelta(days=1))
    enter(sealed, "a", 0.8)
    publisher.publish()
    (entry,) = board(paths).entries
    assert (entry.score, entry.rank, set(entry.task_scores.values())) == (None, None, {None})
    clock.now += timedelta(days=2)
    publisher.publish()
    (entry,) = board(paths).entries
    assert (entry.rank, entry.score) == (1, pytest.approx(80.0))


def test_a_round_past_its_end_is_not_shown_as_open(arena):
    sealed, publisher, paths = arena
    add_round(sealed, closes=START + timedelta(days=1))
    publisher.publish()
    # Read today, without a worker that would publish again.
    assert board(paths).round.phase is Phase.CLOSED


def test_a_round_that_its_clock_closed_is_not_opened_again(arena, clock):
    sealed, _, _ = arena
    add_round(sealed, closes=START + timedelta(days=1))
    to_phase(sealed, Phase.OPEN)
    clock.now += timedelta(days=2)
    with pytest.raises(UsageError, match=r"toy@1\.0 closed at .* by its file"):
        to_phase(sealed, Phase.OPEN)


def test_phases_follow_one_another_and_a_published_round_is_immutable(arena):
    sealed, _, _ = arena
    add_round(sealed)
    with pytest.raises(UsageError, match=r"toy@1\.0 is open; close it first: gradfree round close toy@1\.0"):
        to_phase(sealed, Phase.PUBLISHED)
    write(sealed, ensure_team, "a")
    number = submit(sealed, "a", "a")
    to_phase(sealed, Phase.CLOSED)
    with pytest.raises(UsageError, match=r"have not ended: 1 \(4 runs\)"):
        to_phase(sealed, Phase.PUBLISHED)
    cancel(sealed, number)
    to_phase(sealed, Phase.PUBLISHED)
    with pytest.raises(UsageError, match="it is immutable"):
        to_phase(sealed, Phase.OPEN)
