"""The real command line over an arena in a temporary folder, in this process or in one of its own."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from harness.cli import output
from harness.cli.main import main
from harness.store.paths import ArenaPaths
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import cancel_submission

__all__ = ["CommandLine", "keep_baseline", "write_round"]

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
    """Runs `gradfree` with an arena of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "arena"

    def run(self, *arguments, expect=0, **environment):
        """Run a command in this process: what a new one imports costs seconds."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["gradfree", *map(str, arguments)])
            for name, value in (self._environment | environment).items():
                patch.setenv(name, value)
            for console in (output.console, output.errors):
                patch.setattr(console, "width", 200)
            with pytest.raises(SystemExit) as stop:
                main()
        return _expected(expect, int(stop.value.code or 0), out.getvalue(), err.getvalue())

    def process(self, *arguments, expect=0, **environment):
        """Run a command in a process of its own, as a person would."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("gradfree")), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=os.environ | self._environment | environment,
            timeout=300,
            check=False,
        )
        return _expected(expect, done.returncode, done.stdout, done.stderr)

    @property
    def _environment(self):
        return {"GRADFREE_HOME": str(self.home), "COLUMNS": "200"}

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


def _expected(expect, code, out, err):
    assert code == expect, f"exit {code}\n{out}\n{err}"
    return SimpleNamespace(stdout=out, stderr=err)


def write_round(folder):
    """Write the round file of `mini`: one task, one seed, 40 calls."""
    path = folder / "mini.toml"
    path.write_text(ROUND)
    return path


def keep_baseline(cli, name):
    """Cancel every baseline in the queue but one: running them all takes minutes."""
    with SealedStore.open(ArenaPaths(cli.home)) as sealed, sealed.write() as tx:
        for row in tx.session.scalars(select(SubmissionRow).where(SubmissionRow.is_baseline)):
            if row.name != name:
                cancel_submission(tx, row)
