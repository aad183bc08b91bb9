"""Columns of the ranking and the orders that they give."""

import dataclasses
import itertools
import random

import pytest

from leaderboard.columns import BY_RANK, VIEWS, columns_of, columns_shown, order_entries, orders_of


@pytest.fixture(scope="module")
def entries(sample_board):
    return [entry for entry in sample_board.entries if entry.is_complete]


@pytest.fixture(scope="module")
def columns(sample_board):
    return columns_of(sample_board.round)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("by calls", lambda entry: entry.calls),
        ("by tokens", lambda entry: entry.tokens),
        ("by snli", lambda entry: -entry.task_scores["snli"]),
        ("by solver", lambda entry: entry.solver.casefold()),
        ("by train loss", lambda entry: entry.sparkline[-1] if entry.sparkline else float("inf")),
    ],
)
def test_order_is_by_the_value_best_first(entries, columns, order, expected):
    assert order_entries(entries, columns, order) == sorted(entries, key=expected)


@pytest.mark.parametrize("order", [BY_RANK, "nonsense", ""])
def test_other_orders_are_the_boards_own(entries, columns, order):
    assert order_entries(entries, columns, order) == entries


def test_ties_keep_the_order_of_the_board_and_unknown_values_come_last(entries, columns):
    changes = [None, 1, 3, 1, None, 3]
    some = [dataclasses.replace(entry, change=change) for entry, change in zip(entries, changes, strict=False)]
    ordered = order_entries(some, columns, "by places won")
    assert [some.index(entry) for entry in ordered] == [2, 5, 1, 3, 0, 4]


def test_every_order_keeps_every_entry(entries, columns):
    for order in orders_of(columns, entries):
        assert sorted(each.submission_id for each in order_entries(entries, columns, order)) == sorted(
            each.submission_id for each in entries
        )


def test_orders_offered_begin_with_the_rank_and_leave_out_what_nobody_has(entries, columns):
    offered = orders_of(columns, [dataclasses.replace(entry, efficiency=None) for entry in entries])
    assert offered[0] == BY_RANK
    assert len(offered) == len(set(offered))
    assert "by efficiency" not in offered
    assert "by efficiency" in orders_of(columns, [dataclasses.replace(entries[0], efficiency=0.5)])


@pytest.mark.parametrize("view", VIEWS)
def test_column_that_orders_is_always_shown(sample_board, entries, columns, view):
    for order in orders_of(columns, entries):
        assert order in {each.order for each in columns_shown(sample_board.round, entries, view, order)}


def test_pages_of_an_order_are_parts_of_one_order(entries, columns):
    shuffled = random.Random(3).choices(entries, k=250)
    many = [dataclasses.replace(entry, submission_id=number) for number, entry in enumerate(shuffled)]
    ordered = order_entries(many, columns, "by calls")
    pages = [ordered[start : start + 100] for start in range(0, 250, 100)]
    assert all(max(e.calls for e in one) <= min(e.calls for e in two) for one, two in itertools.pairwise(pages))
