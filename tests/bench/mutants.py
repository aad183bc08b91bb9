"""Ten faults put in by hand: the suite must find each one.

    python tests/bench/mutants.py [NAME ...]

Each mutant changes one expression of a copy of the tree and runs the tests named beside it there; the
tests must pass before the change and fail after it. Prints a line per mutant; exits with 1 if one lives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("baselines", "harness", "leaderboard", "submissions", "tests", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Mutant:
    """One expression, what it becomes, and the tests that must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "metering: a partial batch is free",
        "harness/metering/call.py",
        "n_candidates * -(-n_rows // n_train)",
        "n_candidates * max(1, n_rows // n_train)",
        ("tests/property/test_meter.py", "tests/unit/metrics/test_cost.py"),
    ),
    Mutant(
        "lease fencing: a worker writes under an old claim",
        "harness/store/sealed/queue.py",
        "if run is None or run.claim_number != claim.claim_number or run.status not in HELD_BY_WORKER:",
        "if run is None or run.status not in HELD_BY_WORKER:",
        ("tests/contract/store/test_sealed_store.py",),
    ),
    Mutant(
        "private scores are published at once",
        "harness/store/public/view.py",
        "run.score_private if is_final and has_private_rows else",
        "run.score_private if has_private_rows else",
        ("tests/unit/store/test_publisher.py",),
    ),
    Mutant(
        "rotation: features come back in the model's basis",
        "harness/session/rotation.py",
        "@ self.matrix.T",
        "@ self.matrix",
        ("tests/integration/arena/test_rotation.py",),
    ),
    Mutant(
        "bootstrap: a replicate draws one row too few",
        "harness/metrics/bootstrap.py",
        "generator.multinomial(n_rows, ",
        "generator.multinomial(n_rows - 1, ",
        ("tests/unit/metrics/test_bootstrap.py", "tests/unit/metrics/test_registry.py"),
    ),
    Mutant(
        "cache key: other rows share a state",
        "harness/engine/cache.py",
        "or frontier.rows_digest != rows_digest",
        "or False",
        ("tests/property/engine/test_cache.py",),
    ),
    Mutant(
        "zip intake: a member may be a link",
        "harness/session/archive.py",
        "if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:",
        "if False:",
        ("tests/unit/session/test_submission.py",),
    ),
    Mutant(
        "seccomp: files may be opened past the page cache",
        "harness/sandbox/host/seccomp.py",
        '"openat": [*_none_of_bits(2, _O_DIRECT), _ret(_ALLOW)]',
        '"openat": [_ret(_ALLOW)]',
        ("tests/unit/sandbox/test_seccomp.py",),
    ),
    Mutant(
        "ties: more calls win",
        "harness/metrics/ranking.py",
        "return (-round(total, TOTAL_DECIMALS), calls)",
        "return (-round(total, TOTAL_DECIMALS), -calls)",
        ("tests/unit/metrics/test_ranking.py",),
    ),
    Mutant(
        "resume: a result stored twice is counted twice",
        "harness/store/sealed/attempts.py",
        "if _is_stored(known, summary):",
        "if False:",
        ("tests/contract/store/test_sealed_store.py",),
    ),
)


def passes(tree: Path, tests: tuple[str, ...]) -> bool:
    """Whether the tests pass in a copy of the tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "CI": "true", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", *tests]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode == 0


def main(wanted: list[str]) -> int:
    """Try the mutants whose name holds one of the words; all without any."""
    alive = []
    for mutant in MUTANTS:
        if wanted and not any(word in mutant.name for word in wanted):
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="gradfree-mutant-") as folder:
            tree = Path(folder)
            for name in COPIED:
                source = REPOSITORY / name
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, tree / name)
            target = tree / mutant.file
            text = target.read_text()
            if text.count(mutant.old) != 1:
                raise SystemExit(f"{mutant.name}: {mutant.file} has {text.count(mutant.old)} of {mutant.old!r}")
            is_sound = passes(tree, mutant.tests)
            target.write_text(text.replace(mutant.old, mutant.new))
            is_killed = is_sound and not passes(tree, mutant.tests)
        verdict = "killed" if is_killed else "ALIVE" if is_sound else "its tests fail without it"
        print(f"{verdict:<28}{mutant.name} ({time.monotonic() - started:.0f} s)", flush=True)
        if not is_killed:
            alive.append(mutant.name)
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
