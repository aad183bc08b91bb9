import threading
from dataclasses import replace

import numpy as np
import pytest
import small_models
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine import Engine, NumericProfile, encode
from harness.engine.scheduler import DeficitRoundRobin, Scheduler

M, L, D = 5, 3, 32


@given(
    costs=st.lists(st.lists(st.integers(1, 5000), min_size=60, max_size=60), min_size=2, max_size=5),
    quantum=st.integers(1, 3000),
)
def test_round_robin_any_costs_shares_stay_within_a_quantum_and_a_step(costs, quantum):
    order = DeficitRoundRobin(quantum)
    used = dict.fromkeys(range(len(costs)), 0)
    pending = {run: iter(steps) for run, steps in enumerate(costs)}
    asked = {run: next(steps) for run, steps in pending.items()}
    for run, cost in asked.items():
        order.ask(run, cost)
    while True:
        run = order.take()
        used[run] += asked[run]
        # While all of them wait, nobody is ahead by more than a quantum and the largest step.
        largest = max(max(steps) for steps in costs)
        assert max(used.values()) - min(used.values()) <= 2 * quantum + 2 * largest
        asked[run] = next(pending[run], None)
        if asked[run] is None:
            return
        order.ask(run, asked[run], goes_on=True)


def test_round_robin_idle_run_earns_nothing():
    order = DeficitRoundRobin(10)
    order.ask("a", 100)
    assert order.take() == "a"
    order.ask("a", 5)
    order.ask("b", 5)
    assert [order.take(), order.take()] == ["a", "b"]
    assert len(order) == 0


def queries_of(run, count):
    rng = np.random.default_rng(run)
    base = rng.standard_normal((L, M, D)).astype(np.float32)
    for _ in range(count):
        layer = int(rng.integers(0, L))
        n_candidates = int(rng.integers(1, 6))
        values = rng.standard_normal((n_candidates, M, D)).astype(np.float32)
        rows = rng.permutation(23)[: int(rng.integers(1, 23))]
        split = ("train", "dev")[int(rng.integers(2))]
        yield split, values, {"layer": layer, "base": base, "rows": rows}


@settings(max_examples=examples(15), deadline=None)
@given(
    family=st.sampled_from(small_models.FAMILIES),
    seed=st.integers(0, 2**16),
    n_runs=st.integers(2, 4),
    cache_bytes=st.sampled_from([0, 40_000, 1 << 30]),
    quantum=st.sampled_from([1, 500, 1 << 16]),
)
def test_runs_beside_each_other_have_the_bits_that_each_has_alone(
    family, seed, n_runs, cache_bytes, quantum, backbones, small
):
    backbone = backbones[family]
    compiled = small_models.compile_wording(
        backbone, small.PLAIN[family][1], (("bad",), ("great",)), n_fields=1, n_prompt_tokens=M
    )
    profile = NumericProfile(chunk_tokens=300)
    splits = {
        name: encode(backbone, compiled, small.ragged_texts(23, 1, seed=number))
        for number, name in enumerate(("train", "dev"))
    }
    alone = {}
    for run in range(n_runs):
        engine = Engine(backbone, profile, M, cache_bytes=0)
        alone[run] = [
            engine.evaluate(splits[split], values, **query).logits.tobytes()
            for split, values, query in queries_of(seed + run, 6)
        ]
    engine = Engine(backbone, profile, M, cache_bytes=cache_bytes)
    scheduler = Scheduler(quantum)
    together = {run: [] for run in range(n_runs)}

    def work(run):
        for split, values, query in queries_of(seed + run, 6):
            checked = engine.check(splits[split], values, **query)
            response, _ = scheduler.evaluate(engine, run, checked, cache_key=(run, split))
            together[run].append(response.logits.tobytes())

    threads = [threading.Thread(target=work, args=(run,)) for run in range(n_runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == alone


def test_scheduler_failed_query_leaves_the_turn(backbones, small):
    backbone = backbones["bert"]
    compiled = small_models.compile_wording(
        backbone, "{p} . {text} . It was [M] .", (("bad",), ("great",)), n_fields=1, n_prompt_tokens=M
    )
    split = encode(backbone, compiled, small.ragged_texts(3, 1))
    engine, scheduler = Engine(backbone, NumericProfile(), M), Scheduler()
    values = np.zeros((1, L, M, D), np.float32)
    query = engine.check(split, values)
    with pytest.raises(IndexError):
        scheduler.evaluate(engine, "a", replace(query, rows=np.array([99])))
    response, computed_s = scheduler.evaluate(engine, "b", query)
    assert response.logits.shape == (1, 3, 2)
    assert computed_s > 0
