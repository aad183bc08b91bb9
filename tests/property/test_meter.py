"""Laws of the meter: what is charged is exactly what was journalled, and never passes the budget."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BudgetExhausted, InfrastructureError
from harness.metering import Journal, Meter, call_cost, read_journal

SIZES = st.integers(1, 500)


@given(SIZES, SIZES, SIZES)
def test_cost_is_candidates_times_train_sized_batches(n_candidates, n_rows, n_train):
    assert call_cost(n_candidates, n_rows, n_train) == n_candidates * math.ceil(n_rows / n_train)


@given(SIZES, SIZES, SIZES, SIZES)
def test_cost_of_split_rows_is_never_less_than_of_all_at_once(n_candidates, first, second, n_train):
    whole = call_cost(n_candidates, first + second, n_train)
    assert call_cost(n_candidates, first, n_train) + call_cost(n_candidates, second, n_train) >= whole


def test_four_candidates_on_eight_rows_cost_four():
    assert call_cost(4, 8, 32) == 4


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_cost_of_nothing_is_refused(sizes):
    with pytest.raises(ValueError, match="expected 1 or more"):
        call_cost(*sizes)


@given(
    st.integers(1, 200), st.integers(1, 40), st.lists(st.tuples(st.integers(1, 40), st.integers(1, 120)), max_size=40)
)
def test_charges_are_conserved_and_refusals_charge_nothing(budget, n_train, queries):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        with Journal(path) as journal:
            meter = Meter(budget, n_train, journal)
            charged = 0
            for n_candidates, n_rows in queries:
                cost = call_cost(n_candidates, n_rows, n_train)
                before = meter.usage
                if cost > budget - charged:
                    with pytest.raises(BudgetExhausted):
                        meter.reserve(n_candidates, n_rows)
                    assert meter.usage.calls == before.calls
                    assert meter.usage.examples == before.examples
                else:
                    assert meter.reserve(n_candidates, n_rows) == cost
                    charged += cost
                assert meter.calls_left == budget - charged >= 0
        entries = list(read_journal(path))
        assert sum(entry.calls for entry in entries) == charged == meter.usage.calls
        assert [entry.query for entry in entries] == list(range(1, len(entries) + 1))
        assert meter.usage.refused_queries == len(queries) - len(entries)


def test_exactly_the_budget_is_allowed(tmp_path):
    with Journal(tmp_path / "j") as journal:
        meter = Meter(20, 32, journal)
        assert meter.reserve(20, 32) == 20
        with pytest.raises(BudgetExhausted, match="costs 1 calls"):
            meter.reserve(1, 1)


def test_an_attempt_never_continues_an_old_journal(tmp_path):
    with Journal(tmp_path / "j"), pytest.raises(InfrastructureError, match="cannot create"):
        Journal(tmp_path / "j")


def test_a_journal_cut_short_by_a_kill_keeps_its_whole_lines(tmp_path):
    path = tmp_path / "j"
    with Journal(path) as journal:
        meter = Meter(10, 1, journal)
        meter.reserve(2, 1)
        meter.reserve(3, 1)
    path.write_bytes(path.read_bytes()[:-5])
    assert [entry.calls for entry in read_journal(path)] == [2]


def test_a_full_disk_charges_nothing(tmp_path):
    class FullDisk:
        name = "journal"

        def write(self, _text):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    journal = Journal(tmp_path / "j")
    journal.close()
    journal._file = FullDisk()
    meter = Meter(10, 1, journal)
    with pytest.raises(InfrastructureError, match="No space left"):
        meter.reserve(1, 1)
    assert meter.usage.calls == 0
