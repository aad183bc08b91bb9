"""Every search plans before it asks: nothing is refused, and little of the budget is left over."""

import pytest
from local_blackbox import LocalBlackBox, make_task

from harness.api import InvalidQuery

SMALL = {"intrinsic_dim": 6, "population_size": 4}
SEARCHES = {
    # baseline: (class, settings, calls that may be left over)
    "random_search": ("RandomSearch", {"population_size": 4}, 0),
    "bbt": ("BBT", SMALL | {"eval_every": 7}, 5),
    "bbtv2": ("BBTv2", SMALL | {"eval_every": 7}, 14),
    "ajo": ("AJO", SMALL | {"final_epochs": 3}, 14),
    "bbt_rgb": ("BBTRGB", SMALL | {"eval_every": 7}, 6),
}


@pytest.mark.parametrize("max_calls", [40, 57, 100])
@pytest.mark.parametrize("name", SEARCHES)
def test_search_spends_its_budget_and_no_more(load, backbones, small, name, max_calls):
    entry, settings, most_left = SEARCHES[name]
    task = make_task(small.ragged_texts(16, 1))
    box = LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=5, max_calls=max_calls)
    solution = getattr(load(name), entry)(**settings).solve(task, box)
    assert solution.prompts.shape == (1, 3, 5, box.info.hidden_size)
    assert 0 <= box.calls_left <= most_left


@pytest.mark.parametrize("name", ["bbt", "bbtv2", "ajo", "bbt_rgb"])
def test_too_small_a_budget_is_refused_with_the_price_of_a_round(load, backbones, small, name):
    entry, settings, _ = SEARCHES[name]
    task = make_task(small.ragged_texts(16, 1))
    box = LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=5, max_calls=4)
    with pytest.raises(ValueError, match="budget"):
        getattr(load(name), entry)(**settings).solve(task, box)
    assert box.calls_left == 4


def test_bbt_in_place_of_the_placeholder_hands_in_its_own_wording(load, backbones, small):
    task = make_task(small.ragged_texts(16, 1))
    box = LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=5, max_calls=20)
    solution = load("bbt").BBT(**SMALL, mode="cat").solve(task, box)
    (wording,) = solution.wordings
    assert box.wordings[wording.id].mode == "cat"
    assert not solution.prompts[:, 1:].any()


@pytest.mark.parametrize(
    ("name", "entry", "wrong"),
    [
        ("bbt", "BBT", {"mode": "sideways"}),
        ("bbt", "BBT", {"loss": "l2"}),
        ("bbtv2", "BBTv2", {"projection": "cubic"}),
        ("calibrated", "Calibrated", {"space": "outer"}),
    ],
)
def test_unknown_setting_is_refused_by_name(load, name, entry, wrong):
    (key,) = wrong
    with pytest.raises(ValueError, match=f"{key} is "):
        getattr(load(name), entry)(**wrong)


def test_two_stages_divide_the_search_as_published(load):
    plan = load("bbt_rgb").BBTRGB().plan
    for budget, n_layers in ((14_000, 24), (8000, 24), (8000, 12)):
        rounds, second = plan(budget, n_layers)
        first = rounds * 20 * n_layers
        assert first + first // 100 + second + 2 + n_layers == budget
        assert first / (first + second) == pytest.approx(8 / 14, abs=20 * n_layers / budget)


def test_cobyla_ends_with_its_calls_and_keeps_the_best_point(load, backbones, small):
    task = make_task(small.ragged_texts(16, 1))
    box = LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=5, max_calls=60)
    module = load("bbt_rgb")
    search = module.LayerSearch(module.BBTRGB(**SMALL), task, box, None)
    start = search.losses(1, search.points[1][None])[0]
    before = box.calls_left
    search.cobyla(1, 25)
    assert before - box.calls_left <= 25
    assert search.losses(1, search.points[1][None])[0] < start


def test_no_search_sends_a_malformed_query(load, backbones, small):
    class Strict(LocalBlackBox):
        def wording(self, template, words, **options):
            try:
                return super().wording(template, words, **options)
            except InvalidQuery as error:
                raise AssertionError(error) from error

    task = make_task(small.ragged_texts(16, 1))
    box = Strict(backbones["roberta"], task, n_prompt_tokens=5, max_calls=60)
    load("bbt_rgb").BBTRGB(**SMALL).solve(task, box)
    assert len(box.wordings) > 2
