"""More calls than were paid for, other rows than were given: whole attempts on the toy round."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from case import METER, SESSION, NotFound, attack

from harness.api import BudgetExhausted, Solution

_BUDGET = 20


def _zeros(model, n=1):
    info = model.info
    return np.zeros((n, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)


def _more_than_paid_for(answered):
    if answered <= _BUDGET:
        raise NotFound(f"{answered} calls answered, as paid for")
    return f"{answered} calls answered"


def _ask_until_refused(model, at_most=60):
    answered = 0
    try:
        while answered < at_most:
            model.query(_zeros(model))
            answered += 1
    except BudgetExhausted:
        pass
    return answered


@attack(METER, stage="attempt", relaxed={"budget": 100}, budget=_BUDGET)
def query_beyond_the_budget(given, model):
    return _more_than_paid_for(_ask_until_refused(model))


@attack(METER, stage="attempt", relaxed={"budget": 100}, budget=_BUDGET)
def ask_for_all_at_once(given, model):
    return len(model.query(_zeros(model, _BUDGET + 1)).logits)


@attack(METER, stage="attempt", relaxed={"budget": 100}, budget=_BUDGET)
def race_for_the_last_call(given, model):
    def ask(_):
        try:
            return len(model.query(_zeros(model)).logits)
        except BudgetExhausted:
            return 0

    with ThreadPoolExecutor(8) as pool:
        return _more_than_paid_for(sum(pool.map(ask, range(60))))


@attack(METER, stage="attempt", relaxed={"budget": 100}, budget=_BUDGET)
def pretend_to_have_calls_left(given, model):
    model._calls_left = 10**9
    type(model).calls_left = property(lambda self: 10**9)
    return _more_than_paid_for(_ask_until_refused(model))


@attack(METER, stage="attempt", control="patched", budget=_BUDGET)
def repeat_a_cached_query(given, model):
    """The same query again: a cache would answer it, and a careless meter would not charge it."""
    model.query(_zeros(model))
    before = model.calls_left
    model.query(_zeros(model))
    if model.calls_left < before:
        raise NotFound("charged again")
    return "not charged"


@attack(METER, stage="attempt", control="patched", budget=_BUDGET)
def query_few_rows(given, model):
    """One row of 32 must cost a whole call: many cheap queries would add up to dear ones."""
    before = model.calls_left
    model.query(_zeros(model), rows=[0])
    if model.calls_left < before:
        raise NotFound("charged in full")
    return "not charged"


def _refused(name, **faulty):
    """A query that must be refused; the control asks the plain one."""

    def run(given, model):
        values = _zeros(model) if given["control"] else faulty.get("values", _zeros)(model)
        asked = {} if given["control"] else {key: value for key, value in faulty.items() if key != "values"}
        return model.query(values, **asked).logits.shape

    run.__name__ = name
    globals()[name] = attack(SESSION, stage="attempt", control="sound", budget=_BUDGET)(run)


_refused("query_no_candidate", values=lambda model: _zeros(model, 0))
_refused("query_no_row", rows=[])
_refused("query_a_row_beyond_the_split", rows=[32])
_refused("query_a_negative_row", rows=[-1])
_refused("query_a_row_twice", rows=[0, 0])
_refused("ask_for_labels", outputs=("logits", "labels"))
_refused("ask_for_loss", outputs=("logits", "loss"))
_refused("query_infinite_values", values=lambda model: _zeros(model) + np.inf)
_refused("query_huge_values", values=lambda model: _zeros(model) + 1e30)


@attack(SESSION, stage="attempt", control="patched", budget=100)
def query_test_rows(given, model):
    return model.query(_zeros(model), split="test").logits.shape


@attack(SESSION, stage="attempt", control="sound", budget=_BUDGET)
def put_the_label_into_the_template(given, model):
    field = "text" if given["control"] else "label"
    return model.wording("{p}{%s} It was [M]." % field, ["bad", "good"]).id


@attack(SESSION, stage="attempt", control="sound", budget=_BUDGET)
def use_a_wording_of_another_attempt(given, model):
    wording = model.wording("{p}{text} It was [M].", ["bad", "good"])
    if not given["control"]:
        wording = type(wording)(wording.id + 1)
    return model.query(_zeros(model), wording=wording).logits.shape


@attack(SESSION, stage="attempt", relaxed={"max_wordings": 200}, max_wordings=8, budget=_BUDGET)
def make_wordings_without_end(given, model):
    return len([model.wording("{p}{text} It was [M].", ["bad", "good"]) for _ in range(100)])


@attack(SESSION, stage="attempt", relaxed={"max_bases": 200}, max_bases=8, budget=_BUDGET)
def keep_prompts_without_end(given, model):
    first, *_ = [model.place(_zeros(model)[0]) for _ in range(100)]
    return model.query(_zeros(model)[:, 0], layer=0, base=first).logits.shape


@attack(SESSION, stage="attempt", control="patched", budget=_BUDGET)
def name_incumbents_without_end(given, model):
    """Each is scored on the test rows: a curve that shows what the test set likes."""
    for n in range(1, _BUDGET + 1):
        model.query(_zeros(model))
        model.checkpoint(Solution(_zeros(model) + n / 1000))
    raise NotFound("named; how many are scored, the artifact says")


@attack(SESSION, stage="attempt", control="sound", budget=_BUDGET)
def ask_for_thousands_of_words(given, model):
    """Each probe word is a column of the outputs on every test row: gigabytes for the worker."""
    n_words = 100 if given["control"] else 5000
    return model.wording("{p}{text} It was [M].", ["bad", "good"], probe_words=["good"] * n_words).id
