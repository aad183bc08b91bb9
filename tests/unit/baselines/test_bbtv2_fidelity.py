"""BBTv2 on a small random RoBERTa, against the equations written down again with plain transformers.

Nothing of the solver, of the engine's fast path or of `harness.api.losses` is used on the expected side.
"""

import cma
import numpy as np
import pytest
from equations import clipped_std, layer_inputs, loss_by_hand, normal_projections
from local_blackbox import LocalBlackBox, make_task

from harness.engine.reference import evaluate_reference

D_INTRINSIC, POPULATION, SIGMA_FIRST, SIGMA_REST, ALPHA, M = 6, 4, 1.0, 0.2, 0.5, 5
SETTINGS = {
    "intrinsic_dim": D_INTRINSIC,
    "population_size": POPULATION,
    "sigma_first": SIGMA_FIRST,
    "sigma_rest": SIGMA_REST,
    "alpha": ALPHA,
    "eval_every": 1000,
}


@pytest.fixture
def box(backbones, small):
    task = make_task(small.ragged_texts(16, 1))
    return LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=M, max_calls=2 * POPULATION * 3 + 2)


@pytest.mark.parametrize("loss", ["ce", "hinge", "perf"])
def test_first_two_rounds_follow_the_equations(load, box, loss):
    solver = load("bbtv2").BBTv2(**SETTINGS, loss=loss)
    solution = solver.solve(box.task, box)
    asked = [item for item in box.asked if item["layer"] is not None]

    labels, size = box.task.train.labels, box.info.hidden_size
    encoded = box.encoded("train")
    sigmas = [SIGMA_FIRST, SIGMA_REST, SIGMA_REST]
    projections = normal_projections(box, encoded, D_INTRINSIC, ALPHA, sigmas)
    searches = [
        cma.CMAEvolutionStrategy(
            np.zeros(D_INTRINSIC), sigma, {"popsize": POPULATION, "seed": box.task.solver_seed + layer, "verbose": -9}
        )
        for layer, sigma in enumerate(sigmas)
    ]
    best = np.zeros((3, M, size), np.float32)
    trajectory, minimal = [], [np.inf, np.inf, np.inf]
    step = 0
    for _ in range(2):
        for layer in range(3):
            points = searches[layer].ask()
            losses = []
            for point in points:
                deep = best.copy()
                deep[layer] = (projections[layer] @ point).reshape(M, size)
                logits = evaluate_reference(box.backbone, encoded, deep[None]).logits[0]
                losses.append(loss_by_hand(loss, logits, labels))
            # The solver's candidates and losses are these.
            seen = asked[step]
            assert seen["layer"] == layer
            np.testing.assert_allclose(seen["base"], best, atol=2e-4)
            by_solver = [loss_by_hand(loss, logits, labels) for logits in seen["response"].logits]
            np.testing.assert_allclose(by_solver, losses, atol=1e-3)
            trajectory.append(min(losses))
            searches[layer].tell(points, losses)
            if min(losses) < minimal[layer]:
                minimal[layer] = min(losses)
                best[layer] = (projections[layer] @ points[int(np.argmin(losses))]).reshape(M, size)
            step += 1
    assert step == len(asked) == 6
    # Accuracy on eight rows of a random model may stand still; the others must move.
    if loss != "perf":
        assert min(trajectory[3:]) < max(trajectory[:3])
    assert solution.prompts.shape == (1, 3, M, size)


def test_projection_scale_is_the_clipped_std_rule(load, box):
    solver = load("bbtv2").BBTv2(**SETTINGS)
    projections = solver.draw_projections(box, seed=5)
    embeddings = box.backbone.model.get_input_embeddings().weight.detach().numpy().astype(np.float64)
    stds = [embeddings.std()]
    stds += [clipped_std(states) for states in layer_inputs(box.backbone, box.encoded("train"), 3)[1:]]
    draw = np.random.default_rng(5)
    for layer, (matrix, std) in enumerate(zip(projections, stds, strict=True)):
        unit = draw.standard_normal(matrix.shape, dtype=np.float32).astype(np.float64)
        sigma = SIGMA_FIRST if layer == 0 else SIGMA_REST
        scale = (matrix.astype(np.float64) * unit).sum() / (unit**2).sum()
        assert scale == pytest.approx(ALPHA * std / (np.sqrt(D_INTRINSIC) * sigma), rel=1e-6)
        np.testing.assert_allclose(matrix, scale * unit, rtol=1e-6, atol=0)


def test_uniform_projection_is_the_first_bbts(load, box):
    solver = load("bbtv2").BBTv2(**SETTINGS | {"projection": "uniform"})
    for matrix in solver.draw_projections(box, seed=5):
        bound = 1 / np.sqrt(D_INTRINSIC)
        assert np.abs(matrix).max() <= bound
        assert matrix.std() == pytest.approx(bound / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize(("budget", "n_layers"), [(3000, 24), (8000, 24), (8000, 12), (400, 4), (482, 24)])
def test_rounds_are_planned_after_reserving_dev_evaluations(load, budget, n_layers):
    solver = load("bbtv2").BBTv2()

    def cost(rounds):
        calls = rounds * 20 * n_layers
        return 1 + calls + calls // 100 + 1

    rounds = solver.plan_rounds(budget, n_layers) if cost(1) <= budget else 0
    assert cost(rounds) <= budget < cost(rounds + 1)
    if rounds == 0:
        with pytest.raises(ValueError, match="too small"):
            solver.plan_rounds(budget, n_layers)


def test_advised_loss_is_hinge_for_pairs_alone(load, backbones, small):
    for n_fields, template, expected in (
        (1, "{p} . {text} . It was [M] .", "ce"),
        (2, "{p} . {a} ? [M] , {b}", "hinge"),
    ):
        solutions = []
        for loss in ("advised", expected, "ce" if expected == "hinge" else "hinge"):
            task = make_task(small.ragged_texts(16, n_fields), template=template)
            box = LocalBlackBox(backbones["roberta"], task, n_prompt_tokens=M, max_calls=2 * POPULATION * 3 + 2)
            load("bbtv2").BBTv2(**SETTINGS, loss=loss).solve(task, box)
            solutions.append(box.bases[-1])
        assert np.array_equal(solutions[0], solutions[1])
        assert not np.array_equal(solutions[0], solutions[2])
