"""An arena in a temporary folder, driven through the real command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROUND = """
[round]
name = "mini"
version = "1.0"
[model]
source = "toy"
n_prompt_tokens = 10
[limits]
solver_s = 8.0
cpu_s = 20.0
predict_s = 10.0
memory_bytes = 536870912
[[task]]
preset = "sst2"
name = "sst2"
data = "toy"
kshot_seeds = [8]
budget_calls = 40
test_limit = 200
"""


class CommandLine:
    """Runs `gradfree` in a process of its own, as a person would."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "arena"

    def run(self, *arguments, expect=0, **environment):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("gradfree")), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=os.environ | {"GRADFREE_HOME": str(self.home), "COLUMNS": "200"} | environment,
            timeout=300,
            check=False,
        )
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def solver(self, name, code, *, predict=""):
        """Write a submission whose `solve` has the given lines."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "solver.toml").write_text(f'name = "{name}"\nentry = "solver:Mine"\n')
        lines = [
            "import time",
            "import numpy as np",
            "from harness.api import BudgetExhausted, InvalidQuery, Response, Solution",
            "def zeros(model):",
            "    info = model.info",
            "    return np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)",
            "class Mine:",
            "    def solve(self, task, model):",
            *(f"        {line}" for line in code.strip().splitlines()),
        ]
        if predict:
            lines += ["    @staticmethod", "    def predict(response, state):"]
            lines += [f"        {line}" for line in predict.strip().splitlines()]
        (folder / "solver.py").write_text("\n".join(lines) + "\n")
        return folder


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def mini_round(tmp_path):
    path = tmp_path / "mini.toml"
    path.write_text(ROUND)
    return path
