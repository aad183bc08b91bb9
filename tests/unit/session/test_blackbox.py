"""The black box on the real toy model: what is refused, what is charged, what is kept."""

import threading

import numpy as np
import pytest

from harness.api import Response, Solution, Wording
from harness.errors import BudgetExhausted, InfrastructureError, InvalidQuery
from harness.metering import Journal, Meter
from harness.records import QueryRequest, WordingRequest
from harness.session.blackbox import AttemptProgress, MeteredBlackBox
from harness.session.loaded_round import LoadedRound


@pytest.fixture
def box(toy_arena, tmp_path):
    task = toy_arena.task("sst2")
    train, dev = task.data.kshot[8]
    with Journal(tmp_path / "journal.jsonl") as journal:
        meter = Meter(20, len(train), journal)
        stop = threading.Event()
        told = []
        blackbox = MeteredBlackBox(toy_arena, task, {"train": train, "dev": dev}, meter, told.append, stop=stop)
        blackbox.meter, blackbox.stop, blackbox.told = meter, stop, told
        yield blackbox


def ask(box, request):
    """Query as the sandbox does: what the solver need not wait for comes after."""
    try:
        return box.query(request)
    finally:
        box.answered()


@pytest.fixture
def zeros(box):
    info = box.info
    return np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)


def test_query_returns_logits_and_is_charged(box, zeros):
    response = ask(box, QueryRequest(zeros))
    assert response.logits.shape == (1, 32, 2)
    assert box.calls_left == 19
    assert len(box.trace) == 1


def test_outputs_that_are_not_finite_are_refused_charged_and_traced_but_no_loss(box, zeros, monkeypatch):
    broken = Response(logits=np.full((1, 32, 2), np.nan, np.float32))
    monkeypatch.setattr(LoadedRound, "evaluate", lambda *args, **options: (broken, 0.0))
    with pytest.raises(InvalidQuery, match="its 1 calls stay charged"):
        ask(box, QueryRequest(zeros))
    assert (box.calls_left, len(box.trace), box.train_losses) == (19, 1, [])
    # Who notes what is charged hears of it.
    assert box.told == [AttemptProgress(1, box.info.max_calls, None)]


def test_a_stopped_attempt_computes_and_charges_nothing_more(box, zeros):
    ask(box, QueryRequest(zeros))
    box.stop.set()
    with pytest.raises(InfrastructureError, match="not wanted any more"):
        ask(box, QueryRequest(zeros))
    with pytest.raises(InfrastructureError, match="not wanted any more"):
        box.note_test(100)
    assert (box.meter.usage.calls, box.meter.usage.test_examples, len(box.trace)) == (1, 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"split": "test"},
        {"rows": (0, 0)},
        {"rows": ()},
        {"rows": (32,)},
        {"rows": (-1,)},
        {"wording": 1},
        {"layer": 0, "base": 0},
        {"outputs": ("labels",)},
        {"outputs": ()},
        {"outputs": ("word_logits",)},
    ],
)
def test_malformed_query_is_refused_and_charged_nothing(box, zeros, change):
    values = zeros[:, 0] if "layer" in change else zeros
    with pytest.raises(InvalidQuery):
        ask(box, QueryRequest(values, **change))
    assert box.calls_left == 20
    assert box.trace == []
    assert box.meter.usage.calls == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.1e4])
def test_bad_values_are_refused_and_charged_nothing(box, zeros, bad):
    zeros[0, 0, 0, 0] = bad
    with pytest.raises(InvalidQuery):
        ask(box, QueryRequest(zeros))
    assert box.calls_left == 20


def test_query_past_the_budget_computes_nothing(box, zeros):
    with pytest.raises(BudgetExhausted):
        ask(box, QueryRequest(np.repeat(zeros, 21, axis=0)))
    assert box.calls_left == 20
    assert box.trace == []
    ask(box, QueryRequest(np.repeat(zeros, 20, axis=0)))
    assert box.calls_left == 0


def test_only_the_last_bases_are_held(box, zeros):
    limit = 8
    for _ in range(limit + 1):
        last = box.place(zeros[0])
    assert ask(box, QueryRequest(zeros[:, 0], layer=0, base=last)).logits is not None
    with pytest.raises(InvalidQuery, match="older than the last 8"):
        ask(box, QueryRequest(zeros[:, 0], layer=0, base=0))


def test_wordings_are_bounded_in_number(box):
    request = WordingRequest("{p} . {text} . It was [M] .", (("bad",), ("great",)))
    for _ in range(64):
        box.wording(request)
    with pytest.raises(InvalidQuery, match="holds 64 wordings"):
        box.wording(request)


def test_a_wording_with_swapped_words_swaps_the_logits(box, zeros):
    handle = box.wording(WordingRequest("{p} . {text} . It was [M] .", (("great",), ("bad",))))
    official = ask(box, QueryRequest(zeros)).logits
    swapped = ask(box, QueryRequest(zeros, wording=handle)).logits
    np.testing.assert_array_equal(swapped, official[..., ::-1])


def test_checkpoint_keeps_the_incumbent_and_its_calls(box, zeros):
    ask(box, QueryRequest(zeros))
    box.checkpoint(Solution(zeros))
    assert box.incumbents.newest.calls == 1
    with pytest.raises(InvalidQuery, match="wording 7"):
        box.checkpoint(Solution(zeros, wordings=(Wording(7),)))
    assert box.incumbents.newest.calls == 1


def test_train_loss_curve_only_falls(box, zeros):
    generator = np.random.default_rng(0)
    for _ in range(10):
        ask(box, QueryRequest(zeros + generator.standard_normal(zeros.shape, dtype=np.float32)))
    losses = [loss for _, loss in box.train_losses]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) >= 1
