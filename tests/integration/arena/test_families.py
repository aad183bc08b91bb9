"""A round on a small model of each family in a local folder: from its file to the ranking."""

import pytest
import small_models

ROUND = """
[round]
name = "{family}"
version = "1.0"
[model]
source = "path:model"
n_prompt_tokens = 5
[numeric]
chunk_tokens = 600
[[task]]
preset = "{preset}"
name = "sst2"
data = "toy"
kshot_seeds = [8]
budget_calls = 20
test_limit = 30
[[task]]
preset = "{pair_preset}"
name = "snli"
data = "toy"
kshot_seeds = [8]
budget_calls = 20
test_limit = 30
"""
SOLVER = """
draw = np.random.default_rng(task.solver_seed)
best = zeros(model)[0]
for layer in range(model.info.n_layers):
    values = draw.standard_normal((4, *best.shape[1:])).astype(np.float32)
    response = model.query(values, layer=layer, base=model.place(best), outputs=("logits", "features"))
    assert response.features.shape == (4, len(task.train.labels), model.info.hidden_size)
    right = (response.logits.argmax(axis=2) == task.train.labels).mean(axis=1)
    best[layer] = values[right.argmax()]
return Solution(best[None])
"""


# RoBERTa and BERT have rounds of their own: toy and minilm.
@pytest.mark.parametrize("family", small_models.FAMILIES[2:])
def test_a_round_on_a_model_of_each_family(cli, folders, family):
    (cli.folder / "model").symlink_to(folders[family])
    own = {task: f"{task}-{family}" for task in ("sst2", "snli")}
    presets = [own[task] if own[task] in small_models.PRESETS else task for task in own]
    path = cli.folder / "round.toml"
    path.write_text(ROUND.format(family=family, preset=presets[0], pair_preset=presets[1]))
    solver = cli.solver("searcher", SOLVER)
    cli.run("round", "create", path)
    cli.run("submit", solver, "--round", family, "--team", "us")
    cli.run("worker", "--until-idle")
    (entry,) = cli.json("round", "show", family)["entries"]
    assert (entry["verdict"], entry["calls"]) == ("OK", 24)
    tried = cli.json("try", solver, "--round", path)
    assert [run["verdict"] for run in tried] == ["OK", "OK"]
    assert {run["task"]: run["score"] for run in tried} == entry["tasks"]
