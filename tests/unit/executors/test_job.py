"""A job is a value that another host could carry out, and an executor knows no store."""

import ast
import dataclasses
import pickle
import subprocess
import sys
from pathlib import PurePath

import pytest
from pydantic import BaseModel
from small_round import small_round

from harness.executors import base
from harness.executors.base import Job
from harness.sandbox import SandboxMode
from harness.session.attempt import RunSpec, solver_params
from harness.session.submission import read_submission


@pytest.fixture
def job(tmp_path):
    (tmp_path / "solver.toml").write_text('name = "mine"\nentry = "solver:Mine"\n[params]\nwidth = [1, 2]\n')
    (tmp_path / "solver.py").write_text("class Mine:\n    pass\n")
    config, submission = small_round(), read_submission(tmp_path, 2**16)
    spec = RunSpec(
        submission=submission,
        params=solver_params(config, submission, is_baseline=False),
        task="sst2",
        kshot_seed=8,
        solver_seed=5,
        rotation_seed=3,
        predict_seed=7,
    )
    return Job(name="1-1-abcd", config=config, spec=spec, mode=SandboxMode.USER)


def values_in(value):
    """Yield a value and all that it is made of."""
    yield value
    if dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, BaseModel):
        parts = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    else:
        parts = []
    for part in parts:
        yield from values_in(part)


def test_job_survives_pickle(job):
    again = pickle.loads(pickle.dumps(job))
    assert again == job
    assert again.config.digest() == job.config.digest()
    assert again.spec.submission.digest == job.spec.submission.digest


def test_job_holds_no_path_of_this_machine_and_no_callable(job, tmp_path):
    values = list(values_in(job))
    assert b"class Mine:\n    pass\n" in values, "the walk reaches the submission's files"
    assert not [value for value in values if callable(value) or isinstance(value, PurePath)]
    assert not [value for value in values if isinstance(value, str) and value.startswith("/")]
    assert str(tmp_path).encode() not in pickle.dumps(job)


def test_walk_over_a_job_finds_a_callable_and_a_path(job, tmp_path):
    spoiled = dataclasses.replace(job.spec, params={"act": print, "folder": [tmp_path]})
    values = list(values_in(dataclasses.replace(job, spec=spoiled)))
    assert print in values
    assert tmp_path in values


def test_executors_name_no_store(repository):
    files = sorted((repository / "harness" / "executors").glob("**/*.py"))
    assert len(files) >= 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert not [name for name in names if f"{name}.".startswith(("harness.store.", "harness.worker."))]


def test_loaded_executor_has_loaded_no_store():
    code = (
        "import sys, harness.executors.threads\n"
        "print([name for name in sys.modules if name.startswith(('harness.store', 'harness.worker', 'sqlalchemy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_contract_names_each_event_of_a_job():
    assert {"TestRowsLoaded", "Progressed", "ScoringStarted"} < set(base.__all__)
