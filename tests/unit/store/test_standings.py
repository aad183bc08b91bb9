"""What the board says beside the score: tiers, frontier, efficiency, freezing, phases by the clock."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from harness.errors import InfrastructureError, UsageError
from harness.records import Usage, Verdict
from harness.store import (
    ArenaPaths,
    Phase,
    PublicStore,
    Publisher,
    RoundFacts,
    RunResult,
    SealedStore,
    TaskFacts,
)

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
    with (
        SealedStore.open(paths, clock=clock) as sealed,
        Publisher.open(paths, sealed, clock=clock) as publisher,
    ):
        yield sealed, publisher, paths


def add_round(sealed, **more):
    tasks = (TaskFacts("sst2", "accuracy", 400, SEEDS), TaskFacts("snli", "f1_macro", 400, SEEDS))
    sealed.add_round(RoundFacts("toy", "1.0", "a" * 64, "", tasks, **more))
    for task in tasks:
        keep(sealed, task.name)


def keep(sealed, task, labels=LABELS):
    sealed.keep_test_set("toy", "1.0", task, digest="d" * 64, n_classes=2, labels=labels, is_public=IS_PUBLIC)


def enter(sealed, name, share, calls=100, team=None, baseline=False, curve=(), official=True):
    """Hand in and finish with predictions of which a share is right; the score is that share."""
    team = team or name
    sealed.ensure_team(team, is_baseline_owner=baseline)
    number = sealed.add_submission("toy", team, name, "b" * 64, "x", is_baseline=baseline)
    while claim := sealed.claim_run("w", 60):
        generator = np.random.default_rng([claim.run_id, 1])
        predictions = np.where(generator.random(LABELS.size) < share, LABELS, 1 - LABELS)
        result = RunResult(
            Verdict.OK, 100 * share, 90 * share, Usage(calls=calls, tokens=5, engine_s=1.0), 400, START, START,
            predictions=predictions, test_curve=curve, wall_s=2.0, is_official=official,
        )  # fmt: skip
        sealed.finish_run(claim, sealed.start_attempt(claim), result)
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
    assert [(entry.name, entry.tier, entry.is_pareto) for entry in entries] == [
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
    assert {entry.name: entry.is_pareto for entry in board(paths).entries} == {"a": True, "b": False}


def test_a_result_that_another_publisher_showed_before_its_bootstrap_gets_its_tier_after_it(
    arena, monkeypatch
):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.9)
    with monkeypatch.context() as between:
        # The run ends when the other one has derived, and before it reads.
        between.setattr(sealed, "derive", lambda: None)
        publisher.publish()
    assert [entry.tier for entry in board(paths).entries] == [None]
    publisher.publish()
    assert [entry.tier for entry in board(paths).entries] == [1]


def test_an_entry_without_known_labels_has_no_tier(arena):
    sealed, publisher, paths = arena
    sealed.add_round(RoundFacts("toy", "1.0", "a" * 64, "", (TaskFacts("sst2", "accuracy", 400, SEEDS),)))
    enter(sealed, "a", 0.9)
    publisher.publish()
    (entry,) = board(paths).entries
    assert (entry.tier, entry.standard_error, entry.is_pareto) == (None, None, True)


def test_other_test_rows_than_before_are_our_fault(arena):
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
    sealed.set_phase("toy", Phase.CLOSED)
    sealed.set_phase("toy", Phase.PUBLISHED)
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        page = public.submission(number)
    assert page.curves[0].scores == {8: ((20, 72.5), (400, 81.0)), 13: ((20, 72.5), (400, 81.0))}
    # Half of the way to a perfect score, for the last factor 20 of a budget of 400: half of its logarithm.
    assert page.entry.efficiency == pytest.approx(0.25)
    scores = {entry.name: entry.efficiency for entry in board(paths).entries}
    assert scores["manual"] == pytest.approx(0.0)


def test_efficiency_of_entries_that_ended_before_the_manual_prompt_follows(arena):
    sealed, publisher, paths = arena
    add_round(sealed, curves_from=Phase.OPEN)
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
    sealed.set_phase("toy", Phase.FROZEN)
    clock.now += timedelta(hours=1)
    number = enter(sealed, "b", 0.9, curve=((1, 50.0, 50.0),))
    publisher.publish()
    shown = board(paths)
    assert shown.round.phase is Phase.FROZEN
    assert [(entry.name, entry.rank) for entry in shown.entries] == [("a", 1), ("b", None)]
    with PublicStore.open(paths.public_db) as public:
        page = public.submission(number)
    assert (page.entry.score, page.entry.verdict, page.entry.calls, page.curves) == (None, None, 0, ())
    assert (page.entry.tokens, page.entry.engine_s, page.entry.wall_s) == (0, 0.0, 0.0)
    assert {(run.score, run.verdict, run.calls, run.engine_s) for run in page.runs} == {(None, None, 0, None)}
    sealed.set_phase("toy", Phase.CLOSED)
    publisher.publish()
    assert [(entry.name, entry.rank) for entry in board(paths).entries] == [("a", 1), ("b", None)]
    sealed.unfreeze("toy")
    publisher.publish()
    assert board(paths).round.phase is Phase.CLOSED
    assert [(entry.name, entry.rank) for entry in board(paths).entries] == [("b", 1), ("a", 2)]


def test_a_rejudge_applied_under_a_frozen_board_corrects_what_is_on_it_and_shows_nothing_else(arena, clock):
    sealed, publisher, paths = arena
    add_round(sealed)
    enter(sealed, "a", 0.8)
    clock.now += timedelta(hours=1)
    sealed.set_phase("toy", Phase.FROZEN)
    clock.now += timedelta(hours=1)
    enter(sealed, "b", 0.9)
    sealed.stage_rejudge("toy", "the scorer was wrong")
    while claim := sealed.claim_run("w", 60):
        result = RunResult(Verdict.OK, 70.0, 60.0, Usage(calls=100), 400, START, START)
        sealed.finish_run(claim, sealed.start_attempt(claim), result)
    sealed.apply_rejudge("toy")
    publisher.publish()
    assert [(entry.name, entry.score) for entry in board(paths).entries] == [("a", 70.0), ("b", None)]


def test_a_blind_round_keeps_its_noise_floor_to_itself(arena):
    sealed, publisher, paths = arena
    add_round(sealed, scores_from=Phase.CLOSED)
    enter(sealed, "bbtv2", 0.8, team="reference", baseline=True)
    sealed.add_repeats("toy", "bbtv2", 2)
    while claim := sealed.claim_run("w", 60):
        result = RunResult(Verdict.OK, 70.0 + claim.run_id, 60.0, Usage(calls=100), 400, START, START)
        sealed.finish_run(claim, sealed.start_attempt(claim), result)
    publisher.publish()
    assert board(paths).round.noise == {}
    sealed.set_phase("toy", Phase.CLOSED)
    publisher.publish()
    assert set(board(paths).round.noise) == {"bbtv2"}


def test_repeats_are_of_the_reference_method_as_it_stands(arena):
    """What was cancelled is filled up again, under a seed that was not used before."""
    sealed, _, _ = arena
    add_round(sealed)
    sealed.ensure_team("reference", is_baseline_owner=True)
    numbers = [
        sealed.add_submission("toy", "reference", "bbtv2", digest * 64, digest * 64, is_baseline=True)
        for digest in "ab"
    ]
    sealed.cancel_submission(numbers[0])

    def repeats():
        everything = sealed.list_submissions("toy", is_everything=True)
        return [item for item in everything if item.submission_id not in numbers]

    assert sealed.add_repeats("toy", "bbtv2", 2) == 2
    assert {item.digest for item in repeats()} == {"b" * 64}
    assert sealed.add_repeats("toy", "bbtv2", 2) == 0
    sealed.cancel_submission(repeats()[0].submission_id)
    assert sealed.add_repeats("toy", "bbtv2", 2) == 1
    assert len(repeats()) == 3
    # The same files again, as `--again` enters them: what they have been repeated by counts.
    numbers.append(sealed.add_submission("toy", "reference", "bbtv2", "b" * 64, "b" * 64, is_baseline=True))
    assert sealed.add_repeats("toy", "bbtv2", 3) == 1
    seeds = [run.solver_seed for item in repeats() for run in item.runs]
    assert len(set(seeds)) == len(seeds)


def test_a_noise_floor_is_that_of_the_newest_files(arena):
    sealed, publisher, paths = arena
    add_round(sealed)
    sealed.ensure_team("reference", is_baseline_owner=True)
    for digest, level, n_repeats in (("a", 10.0, 3), ("b", 70.0, 2)):
        sealed.add_submission("toy", "reference", "bbtv2", digest * 64, digest * 64, is_baseline=True)
        sealed.add_repeats("toy", "bbtv2", n_repeats)
        while claim := sealed.claim_run("w", 60):
            score = level + claim.submission_id % 2
            result = RunResult(Verdict.OK, score, score, Usage(calls=100), 400, START, START)
            sealed.finish_run(claim, sealed.start_attempt(claim), result)
    publisher.publish()
    floor = board(paths).round.noise["bbtv2"]
    assert (floor.n_repeats, floor.mean) == (2, pytest.approx(70.5))


def test_a_blind_round_shows_no_score_before_its_phase_and_follows_the_clock(arena, clock):
    sealed, publisher, paths = arena
    add_round(sealed, scores_from=Phase.CLOSED, closes=START + timedelta(days=1))
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
    sealed.set_phase("toy", Phase.OPEN)
    clock.now += timedelta(days=2)
    with pytest.raises(UsageError, match=r"toy@1\.0 closed at .* by its file"):
        sealed.set_phase("toy", Phase.OPEN)


def test_phases_follow_one_another_and_publication_is_for_ever(arena):
    sealed, _, _ = arena
    add_round(sealed)
    with pytest.raises(UsageError, match=r"toy@1\.0 is open; close it first: gradfree round close toy@1\.0"):
        sealed.set_phase("toy", Phase.PUBLISHED)
    sealed.ensure_team("a")
    number = sealed.add_submission("toy", "a", "a", "b" * 64, "x")
    sealed.set_phase("toy", Phase.CLOSED)
    with pytest.raises(UsageError, match=r"have not ended: 1 \(4 runs\)"):
        sealed.set_phase("toy", Phase.PUBLISHED)
    sealed.cancel_submission(number)
    sealed.set_phase("toy", Phase.PUBLISHED)
    with pytest.raises(UsageError, match="that is for ever"):
        sealed.set_phase("toy", Phase.OPEN)
