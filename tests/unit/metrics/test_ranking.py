import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.ranking import (
    Contender,
    ScoringRule,
    choose,
    mean_of_seeds,
    pareto_front,
    rank,
    rank_contenders,
    total_score,
)
from harness.metrics.tiers import tiers

START = datetime(2026, 11, 1, tzinfo=UTC)


def contender(number, total, calls=100, owner=None, minute=None, is_ranked=True, public=None, is_official=True):
    return Contender(
        submission_id=number,
        owner=(owner or f"team {number}", ""),
        total=total,
        public_total=total if public is None else public,
        calls=calls,
        submitted_at=START + timedelta(minutes=number if minute is None else minute),
        is_ranked=is_ranked,
        is_official=is_official,
    )


def order(contenders):
    return [(place.submission_id, place.rank) for place in rank(contenders)]


def test_rank_higher_total_first_then_fewer_calls():
    assert order([contender(1, 70.0), contender(2, 80.0), contender(3, 70.0, calls=50)]) == [(2, 1), (3, 2), (1, 3)]


def test_rank_equal_on_both_is_shared_and_the_next_is_skipped():
    assert order([contender(1, 70.0), contender(2, 70.0), contender(3, 60.0)]) == [(1, 1), (2, 1), (3, 3)]


def test_rank_shared_is_displayed_by_time_of_submission():
    assert order([contender(1, 70.0, minute=9), contender(2, 70.0, minute=5)]) == [(2, 1), (1, 1)]


def test_rank_totals_that_differ_by_summation_alone_are_equal():
    thirds = [1 / 3, 0.1, 0.2, 99.3]
    assert sum(thirds) != sum(reversed(thirds))
    assert [each for _, each in order([contender(1, sum(thirds)), contender(2, sum(reversed(thirds)))])] == [1, 1]


def test_rank_totals_that_differ_beyond_nine_decimals_are_not_equal():
    assert order([contender(1, 70.0), contender(2, 70.000000002)]) == [(2, 1), (1, 2)]


def test_rank_baseline_stands_in_order_without_a_rank():
    field = [contender(1, 80.0), contender(2, 70.0, is_ranked=False), contender(3, 60.0)]
    assert order(field) == [(1, 1), (2, None), (3, 2)]


def test_rank_baseline_between_ties_does_not_part_them():
    field = [contender(1, 70.0), contender(2, 70.0, is_ranked=False), contender(3, 70.0)]
    assert order(field) == [(1, 1), (2, None), (3, 1)]


def test_rank_unofficial_stands_in_order_without_a_rank():
    field = [contender(1, 80.0, is_official=False), contender(2, 70.0), contender(3, 60.0)]
    assert order(field) == [(1, None), (2, 1), (3, 2)]


def test_rank_incomplete_is_last_and_never_first():
    assert order([contender(1, None), contender(2, 0.0)]) == [(2, 1), (1, None)]


def test_rank_of_nobody_is_empty():
    assert rank([]) == []


@pytest.mark.parametrize(
    ("scores", "mean"), [([70.0, 80.0], 75.0), ([70.0, None], None), ([], None), ([None], None), ([0.0], 0.0)]
)
def test_mean_is_missing_if_any_score_is_missing(scores, mean):
    assert mean_of_seeds(scores) == mean


def test_total_is_the_mean_over_tasks():
    assert total_score({"a": 60.0, "b": 90.0}) == 75.0
    assert total_score({"a": 60.0, "b": None}) is None


def test_choose_best_takes_the_best_public_total_even_after_publication():
    own = [contender(1, 50.0, owner="x", public=90.0), contender(2, 60.0, owner="x", public=80.0)]
    counted, _ = choose(own, ScoringRule.FORCE_BEST)
    assert [each.submission_id for each in counted] == [1]


def test_choose_last_takes_the_last_complete_one():
    own = [contender(1, 90.0, owner="x"), contender(2, 80.0, owner="x"), contender(3, None, owner="x")]
    counted, pending = choose(own, ScoringRule.FORCE_LAST)
    assert [each.submission_id for each in counted] == [2]
    assert [each.submission_id for each in pending] == [3]


@pytest.mark.parametrize("rule", ScoringRule)
def test_choose_takes_an_unofficial_one_only_if_there_is_no_official_one(rule):
    own = [contender(1, 60.0, owner="x"), contender(2, 90.0, owner="x", is_official=False)]
    assert choose(own, rule)[0] == own[:1]
    assert choose(own[1:], rule)[0] == own[1:]


def test_choose_shows_no_incomplete_one_older_than_a_complete_one():
    own = [contender(1, None, owner="x"), contender(2, 80.0, owner="x")]
    assert choose(own, ScoringRule.FORCE_BEST)[1] == []


def test_choose_shows_one_incomplete_per_owner():
    own = [contender(1, None, owner="x"), contender(2, None, owner="x"), contender(3, None, owner="y")]
    counted, pending = choose(own, ScoringRule.FORCE_BEST)
    assert counted == []
    assert [each.submission_id for each in pending] == [2, 3]


# Few values, so that ties are common.
fields = st.lists(
    st.tuples(
        st.sampled_from([None, 0.0, 33.3, 70.0, 70.0 + 1e-12, 100.0]),
        st.sampled_from([0, 10, 500]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=12,
).map(lambda rows: [contender(i, t, calls=c, minute=m, is_ranked=r) for i, (t, c, m, r) in enumerate(rows)])


@given(fields, st.randoms())
def test_rank_is_one_plus_the_number_of_better_competitors_whatever_the_order_given(field, random):
    shuffled = list(field)
    random.shuffle(shuffled)
    placed = rank(shuffled)
    assert placed == rank(field)
    assert [place.position for place in placed] == list(range(1, len(field) + 1))
    by_id = {each.submission_id: each for each in field}

    def beats(one, other):
        difference = round(one.total, 9) - round(other.total, 9)
        return difference > 0 or (difference == 0 and one.calls < other.calls)

    competitors = [each for each in field if each.is_ranked and each.total is not None]
    for place in placed:
        own = by_id[place.submission_id]
        if own in competitors:
            assert place.rank == 1 + sum(beats(other, own) for other in competitors)
        else:
            assert place.rank is None
    ordered = [by_id[place.submission_id] for place in placed]
    for upper, lower in itertools.pairwise(ordered):
        if upper.total is None:
            assert lower.total is None
        elif lower.total is not None:
            assert not beats(lower, upper)


@given(fields, st.sampled_from(ScoringRule))
def test_choose_gives_every_owner_at_most_one_place(field, rule):
    owned = [contender(i, each.total, each.calls, owner=f"t{i % 3}", minute=i) for i, each in enumerate(field)]
    counted, pending = choose(owned, rule)
    assert len({each.owner for each in counted}) == len(counted)
    assert len({each.owner for each in pending}) == len(pending)
    assert {each.owner for each in counted} == {each.owner for each in owned if each.total is not None}
    assert all(each.total is None for each in pending)


def test_ranking_of_a_round_gives_places_tiers_pareto_and_standard_errors():
    field = [
        contender(1, 90.0, calls=500),
        contender(2, 89.0, calls=100, is_ranked=False),
        contender(3, 60.0, calls=10, is_official=False),
        contender(4, 50.0, calls=100),
        contender(5, 40.0, owner="team 1"),
        contender(6, None, owner="team 4"),
    ]
    base = np.random.default_rng(0).normal(0.0, 2.0, 1000)
    replicates = {each.submission_id: base + each.total for each in field[:3]}
    replicates[2] = replicates[2] + np.random.default_rng(1).normal(0.0, 2.0, 1000)
    found = rank_contenders(field, ScoringRule.FORCE_BEST, lambda _: replicates)
    assert [(place.submission_id, place.position, place.rank) for place in found.places] == [
        (1, 1, 1), (2, 2, None), (3, 3, None), (4, 4, 2),
    ]  # fmt: skip
    assert [place.tier for place in found.places] == [1, 1, 2, None]
    # An unofficial result is never on the frontier: nothing enforced its calls.
    assert [place.is_pareto for place in found.places] == [True, True, False, False]
    assert found.places[0].standard_error == float(replicates[1].std(ddof=1))
    assert found.places[3].standard_error is None
    assert [each.submission_id for each in found.pending] == [6]


def test_public_ranks_are_of_the_entries_that_count():
    field = [
        contender(1, 90.0, public=70.0),
        contender(2, 80.0, public=95.0),
        contender(3, 85.0, owner="team 2", public=94.0),
        contender(4, 99.0, public=99.0, is_ranked=False),
    ]
    found = rank_contenders(field, ScoringRule.FORCE_BEST)
    assert [(place.submission_id, place.rank) for place in found.places] == [(4, None), (1, 1), (2, 2)]
    assert found.public_ranks() == {4: None, 2: 1, 1: 2}


def test_ranking_of_nobody_is_empty():
    found = rank_contenders([], ScoringRule.FORCE_LAST)
    assert (found.places, found.pending, found.public_ranks()) == ((), (), {})


@given(fields, st.sampled_from(ScoringRule), st.randoms())
def test_ranking_of_a_round_is_its_parts_whatever_the_order_given(field, rule, random):
    owned = [
        contender(i, each.total, each.calls, owner=f"t{i % 4}", minute=i, is_ranked=each.is_ranked)
        for i, each in enumerate(field)
    ]
    replicates = {
        each.submission_id: np.random.default_rng(each.submission_id).normal(each.total, 5.0, 50)
        for each in owned
        if each.total is not None and each.submission_id % 3
    }
    random.shuffle(owned)
    found = rank_contenders(owned, rule, lambda _: replicates)
    counted, pending = choose(owned, rule)
    plain = rank(counted)
    assert [(p.contender, p.position, p.rank) for p in found.places] == [
        (p.contender, p.position, p.rank) for p in plain
    ]
    assert list(found.pending) == pending
    assert [p.tier for p in found.places] == tiers([replicates.get(p.submission_id) for p in plain])
    points = [(p.contender.total, p.contender.calls) for p in plain]
    assert [p.is_pareto for p in found.places] == pareto_front(points)
