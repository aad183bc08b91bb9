"""What every search does with its candidates: what CMA-ES is told, what it moves to, what dev selects."""

from itertools import accumulate

import cma
import numpy as np
import pytest
from equations import loss_by_hand, normal_projections
from local_blackbox import LocalBlackBox, make_task

from harness.api import Response, Wording

M, D_INTRINSIC, POPULATION, ALPHA, EVAL_EVERY = 5, 6, 4, 0.5, 7
SMALL = {"intrinsic_dim": D_INTRINSIC, "population_size": POPULATION, "alpha": ALPHA}
DEEP = SMALL | {"sigma_first": 1.0, "sigma_rest": 0.2}
SEARCHES = {
    # baseline: (class, settings, sigmas of the layers that it searches)
    "bbt": ("BBT", SMALL | {"sigma": 1.0, "projection": "normal", "eval_every": EVAL_EVERY}, [1.0]),
    "bbtv2": ("BBTv2", DEEP | {"eval_every": EVAL_EVERY}, [1.0, 0.2, 0.2]),
    "ajo": ("AJO", DEEP | {"final_epochs": 3}, [1.0, 0.2, 0.2]),
    "bbt_rgb": ("BBTRGB", DEEP | {"eval_every": EVAL_EVERY}, [1.0, 0.2, 0.2]),
}


@pytest.fixture
def box(request, backbones, small):
    """Sixteen rows each for train and dev: enough to tell prompts apart, few enough for ties."""
    task = make_task(small.ragged_texts(getattr(request, "param", 32), 1))
    return LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=M, max_calls=100)


@pytest.fixture
def told(monkeypatch):
    """Every (points, losses) that any CMA-ES was told, in order."""
    seen, tell = [], cma.CMAEvolutionStrategy.tell

    def recording(self, solutions, function_values, *rest, **named):
        seen.append((np.array(solutions), np.array(function_values)))
        return tell(self, solutions, function_values, *rest, **named)

    monkeypatch.setattr(cma.CMAEvolutionStrategy, "tell", recording)
    return seen


@pytest.mark.parametrize("name", SEARCHES)
def test_search_is_told_the_losses_of_its_points_and_moves_to_the_least(load, box, told, monkeypatch, name):
    entry, settings, sigmas = SEARCHES[name]
    module = load(name)
    joint = []
    if name == "ajo":  # its joint loss is recomputed in test_local_learners.py
        losses_of = module.AJO.losses

        def recording(*arguments):
            joint.append(losses_of(*arguments))
            return joint[-1]

        monkeypatch.setattr(module.AJO, "losses", recording)
    getattr(module, entry)(**settings).solve(box.task, box)

    generations = [item for item in box.asked if item["split"] == "train" and len(item["values"]) == POPULATION]
    assert len(generations) == len(told) >= 2 * len(sigmas)
    wording = generations[0]["wording"] or 0
    projections = normal_projections(box, box.encoded("train", wording), D_INTRINSIC, ALPHA, sigmas)
    best = np.zeros((len(sigmas), M, box.info.hidden_size), np.float32)
    least = [np.inf] * len(sigmas)
    for number, (item, (points, losses)) in enumerate(zip(generations, told, strict=True)):
        layer = number % len(sigmas)
        assert item["layer"] == layer
        if name != "bbt":
            np.testing.assert_allclose(item["base"], best, atol=2e-4)
        prompts = (points @ projections[layer].T).reshape(item["values"].shape)
        np.testing.assert_allclose(item["values"], prompts, atol=2e-4)
        expected = (
            joint[number]
            if name == "ajo"
            else [loss_by_hand("ce", logits, box.task.train.labels) for logits in item["response"].logits]
        )
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        if losses.min() < least[layer]:
            least[layer] = losses.min()
            best[layer] = prompts[losses.argmin()]


def dev_evaluations(box):
    """Each dev query's prompt and accuracy, in order."""
    return [
        (item["values"][0], float((item["response"].logits[0].argmax(-1) == box.task.dev.labels).mean()))
        for item in box.asked
        if item["split"] == "dev"
    ]


# With these rows the highest accuracy comes twice while the search runs.
@pytest.mark.parametrize(("name", "box"), [("bbt", 48), ("bbtv2", 32), ("bbt_rgb", 32)], indirect=["box"])
def test_dev_keeps_the_first_prompt_of_the_highest_accuracy(load, box, name):
    entry, settings, _ = SEARCHES[name]
    solution = getattr(load(name), entry)(**settings).solve(box.task, box)
    prompts, scores = zip(*dev_evaluations(box), strict=True)
    assert len(set(scores)) > 2, "dev must tell prompts apart"
    records = [number for number, best in enumerate(accumulate(scores, max)) if scores.index(best) == number]
    assert scores[:-1].count(max(scores)) > 1, "a tie must show which of two is kept"
    handed_in = solution.prompts[0, 0] if name == "bbt" else solution.prompts[0]
    np.testing.assert_array_equal(handed_in, prompts[int(np.argmax(scores))])
    # Checkpoints are the records on the way; BBT and BBTv2 hand in the last prompt without one.
    kept = [checkpoint.prompts[0] for _, checkpoint in box.checkpoints]
    kept = [prompt[0] if name == "bbt" else prompt for prompt in kept]
    expected = [prompts[number] for number in records]
    assert len(expected) - len(kept) == (name != "bbt_rgb" and records[-1] == len(prompts) - 1)
    for prompt, right in zip(kept, expected, strict=False):
        np.testing.assert_array_equal(prompt, right)


@pytest.mark.parametrize("name", ["bbt", "bbtv2"])
def test_dev_sees_the_candidate_of_every_nth_call(load, box, name):
    entry, settings, _ = SEARCHES[name]
    getattr(load(name), entry)(**settings).solve(box.task, box)
    candidates = []
    for item in box.asked:
        if item["split"] == "train" and item["layer"] is not None:
            for value in item["values"]:
                candidate = value
                if name == "bbtv2":
                    candidate = item["base"].copy()
                    candidate[item["layer"]] = value
                candidates.append(candidate)
    *scored, _last = [prompt for prompt, _ in dev_evaluations(box)]
    assert len(scored) == len(candidates) // EVAL_EVERY > 5
    for number, prompt in enumerate(scored, start=1):
        np.testing.assert_array_equal(prompt, candidates[number * EVAL_EVERY - 1])


def test_ajo_keeps_the_prompt_of_the_best_accuracy_then_likelihood(load, box, monkeypatch):
    module = load("ajo")
    merits, mix = [], module.joint_log_probabilities

    def recording(*arguments):
        mixed = mix(*arguments)
        labels = box.task.dev.labels
        right = (mixed.argmax(-1) == labels).mean()
        merits.append((right, mixed[np.arange(len(labels)), labels].mean()))
        return mixed

    monkeypatch.setattr(module, "joint_log_probabilities", recording)
    solution = module.AJO(**SEARCHES["ajo"][1]).solve(box.task, box)
    prompts = [prompt for prompt, _ in dev_evaluations(box)]
    assert len(merits) == len(prompts) == len(set(merits)) > 5
    best = max(range(len(merits)), key=merits.__getitem__)
    np.testing.assert_array_equal(solution.prompts[0], prompts[best])


def test_wording_is_the_one_of_the_smallest_loss_on_train(load, box):
    load("bbt_rgb").BBTRGB(**SEARCHES["bbt_rgb"][1]).solve(box.task, box)
    tried = {
        item["wording"]: loss_by_hand("ce", item["response"].logits[0], box.task.train.labels)
        for item in box.asked
        if item["layer"] is None and item["split"] == "train" and item["outputs"] == ("logits",)
    }
    assert len(tried) >= 3
    used = {item["wording"] for item in box.asked if item["layer"] is not None or item["split"] == "dev"}
    assert used == {min(tried, key=tried.__getitem__)}


class WordBox:
    """A black box whose probe words have fixed logits."""

    def __init__(self, info, logits_of):
        self.info, self.logits_of, self.probed = info, logits_of, ()

    def wording(self, _template, _words, *, probe_words):
        self.probed = probe_words
        return Wording(1)

    def query(self, _values, *, wording, outputs):
        assert (wording, outputs) == (Wording(1), ("word_logits",))
        columns = [self.logits_of(word) for word in self.probed]
        return Response(word_logits=np.stack(columns, axis=-1)[None].astype(np.float32))


def test_label_words_are_those_that_speak_for_their_class(load, box):
    texts = [("fine lovely poor dull neutral twin",)] * 8
    task = make_task(texts)
    is_great = task.train.labels == 1
    # Mean log probability on the class's rows less that on the others: twice these.
    gains = {"bad": -1.0, "great": 1.0, "fine": 2.0, "lovely": 3.0, "poor": -2.0, "dull": -0.5, "neutral": 0.0}

    def logits_of(word):
        gain = gains["lovely" if word == "twin" else word]  # of one token with another word
        return np.where(is_great, gain, -gain)

    search_words = load("bbt_rgb", "words").search_words
    assert search_words(task, WordBox(box.info, logits_of), 5, 10) == [
        ["bad", "poor", "dull", "neutral"],
        ["great", "lovely", "fine"],
    ]
    assert search_words(task, WordBox(box.info, logits_of), 2, 10) == [["bad", "poor"], ["great", "lovely"]]
