"""Calibration and the classifiers that solvers train locally, on outputs made up for the purpose."""

import numpy as np
import pytest
from local_blackbox import make_task

from harness.api import ModelInfo, Response

INFO = ModelInfo("roberta", 3, 12, 5, 0.1, 50, ("logits", "features", "layer_std"))


class Recorded:
    """A black box with fixed outputs: features that tell the class, logits biased to the second one."""

    def __init__(self, task, *, bias=3.0, seed=0):
        draw = np.random.default_rng(seed)
        self.info, self.task, self.calls = INFO, task, 0
        centres = draw.standard_normal((len(task.words), INFO.hidden_size))
        self.outputs = {}
        for split in ("train", "dev"):
            labels = getattr(task, split).labels
            features = centres[labels] + 0.1 * draw.standard_normal((len(labels), INFO.hidden_size))
            logits = np.eye(len(task.words))[labels] + 0.1 * draw.standard_normal((len(labels), len(task.words)))
            logits[:, 1] += bias
            self.outputs[split] = Response(logits[None].astype(np.float32), features[None].astype(np.float32))

    def query(self, values, *, split="train", outputs=("logits",), **_):
        self.calls += len(values)
        return self.outputs[split]


@pytest.fixture(params=[2, 4])
def task(request):
    words = ("bad", "great", "good", "boring")[: request.param]
    return make_task([("some words",)] * 48, words=words)


@pytest.mark.parametrize(
    ("name", "entry", "settings", "n_calls"),
    [
        ("linear_probe", "LinearProbe", {"strengths": [0.01, 1.0]}, 2),
        ("feature_mlp", "FeatureMLP", {"penalties": [0.01, 1.0]}, 2),
        ("dect", "DecT", {}, 2),
        ("calibrated", "Calibrated", {}, 1),
        ("calibrated", "Calibrated", {"space": "logits"}, 1),
    ],
)
def test_learner_predicts_what_its_outputs_tell(load, task, name, entry, settings, n_calls):
    box = Recorded(task)
    dev = box.outputs["dev"]
    assert (dev.logits[0].argmax(-1) == task.dev.labels).mean() < 0.6, "the bias must hide the classes"
    solver = getattr(load(name), entry)(**settings)
    solution = solver.solve(task, box)
    assert box.calls == n_calls
    assert not solution.prompts.any()
    right = solver.predict(dev, solution.state) == task.dev.labels
    # Dividing logits by their means cannot undo a bias wholly; the other learners can.
    assert right.mean() > (0.6 if settings.get("space") == "logits" else 0.95)


def test_calibration_in_probabilities_does_not_depend_on_a_shift_of_all_logits(load, task):
    module = load("calibrated")
    states = []
    for shift in (-50.0, 0.0, 50.0):
        box = Recorded(task)
        box.outputs["train"] = Response(box.outputs["train"].logits + np.float32(shift))
        states.append(module.Calibrated().solve(task, box).state["shift"])
    np.testing.assert_allclose(states[0], states[1], atol=1e-4)
    np.testing.assert_allclose(states[2], states[1], atol=1e-4)


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_calibration_of_logits_follows_the_equation_where_means_are_positive(load, task, shift):
    box = Recorded(task)
    logits = box.outputs["train"].logits + np.float32(shift)
    box.outputs["train"] = Response(logits)
    state = load("calibrated").Calibrated("logits").solve(task, box).state
    means = logits[0].astype(float).mean(axis=0)
    lift = max(0.0, 1.0 - means.min())
    weights = (means + lift).mean() / (means + lift)
    assert (weights > 0).all()
    calibrated = state["scale"] * logits[0] + state["shift"]
    np.testing.assert_allclose(calibrated, weights * (logits[0] + lift), rtol=1e-5)
    np.testing.assert_allclose(calibrated.mean(axis=0), np.full(len(means), (means + lift).mean()), rtol=1e-4)


def test_joint_loss_is_the_mix_of_both_cross_entropies(load, task):
    module = load("ajo")
    box = Recorded(task)
    response, labels = box.outputs["train"], task.train.labels
    classifier = module.Classifier(response.features[0], len(task.words))
    solver = module.AJO(mix=0.3)
    solver.fit(classifier, response.features[0], labels, np.random.default_rng(0))
    p = np.exp(response.logits[0].astype(float))
    p /= p.sum(axis=1, keepdims=True)
    p1 = p / p.mean(axis=0)
    p1 /= p1.sum(axis=1, keepdims=True)
    scores = (response.features[0] - classifier.centre) / classifier.spread @ classifier.weight[
        :-1
    ] + classifier.weight[-1]
    p2 = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    expected = -0.3 * np.log(p1[rows, labels]).mean() - 0.7 * np.log(p2[rows, labels]).mean()
    assert solver.losses(response, classifier, labels)[0] == pytest.approx(expected, rel=1e-6)


def test_classifier_descends_the_gradient_of_its_loss(load, task):
    """The first Adam step moves every weight by the learning rate against the sign of a numeric gradient."""
    module = load("ajo", "classifier")
    features, labels = Recorded(task).outputs["train"].features[0], task.train.labels
    from harness.api.losses import cross_entropy

    classifier = module.Classifier(features, len(task.words))
    before = classifier.weight.copy()
    numeric = np.zeros_like(before)
    for index in np.ndindex(before.shape):
        losses = []
        for step in (1e-5, -1e-5):
            classifier.weight = before.copy()
            classifier.weight[index] += step
            losses.append(cross_entropy(classifier.scores(features)[None], labels)[0])
        numeric[index] = (losses[0] - losses[1]) / 2e-5
    classifier.weight = before.copy()
    classifier.step(features, labels, 0.01)
    clear = np.abs(numeric) > 1e-4
    assert clear.any()
    np.testing.assert_allclose((classifier.weight - before)[clear], -0.01 * np.sign(numeric)[clear], rtol=1e-2)
