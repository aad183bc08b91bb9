"""The solver contract loads numpy and the standard library, nothing else."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "pydantic", "sqlalchemy", "scipy", "sklearn", "datasets", "typer", "pandas")


def test_importing_the_api_loads_numpy_alone():
    script = f"import sys, harness.api; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_exported_name_exists():
    import harness.api

    assert all(hasattr(harness.api, name) for name in harness.api.__all__)


def test_showing_a_ranking_loads_no_language_model_library():
    script = "import sys, harness.cli.main; print([n for n in ('torch', 'transformers', 'datasets', 'sklearn') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
