import importlib.util
import os
from collections import Counter
from pathlib import Path

import pytest
from attack_table import ATTACKS, case
from canary_arena import CanaryArena

_SPEC = importlib.util.spec_from_file_location(
    "sandbox_driver", Path(__file__).parents[1] / "integration" / "sandbox" / "driver.py"
)
_DRIVER = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_DRIVER)


_SAME_IN_BOTH_MODES = {case.SECCOMP, case.WIRE}
"""Layers that do not depend on the user: the filters are the same bytes, the wire is the host's side."""
_AS_ANOTHER_USER = 3
"""Of each group's attacks on such a layer, how many `make test` repeats in root's other mode."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave to `make attack` what is the same once more."""
    repeated = Counter()
    for item in items:
        if item.path.name != "test_attacks.py" or "sandbox" not in getattr(item, "fixturenames", ()):
            continue
        attack = ATTACKS[item.callspec.params["name"]]
        is_other_mode = os.geteuid() == 0 and item.callspec.params["sandbox"] == "user"
        if is_other_mode and attack.layer in _SAME_IN_BOTH_MODES:
            repeated[attack.group, attack.layer] += 1
            if repeated[attack.group, attack.layer] > _AS_ANOTHER_USER:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def arena(tmp_path_factory, repository):
    """Before any sandbox is opened: what it leaks on purpose must be there to be inherited."""
    built = CanaryArena(tmp_path_factory.mktemp("canaries"), repository)
    yield built
    built.close()


@pytest.fixture(scope="session", params=["root", "user"])
def sandbox(request, arena):
    """Each official mode in turn."""
    opened = _DRIVER.open_mode(request.param)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def unsafe():
    """The positive control: the same code without isolation."""
    return _DRIVER.open_mode("unsafe")


@pytest.fixture(scope="session")
def own_mode():
    """The official mode of the user who runs the tests."""
    return _DRIVER.open_mode("root" if os.geteuid() == 0 else "user")


def pytest_terminal_summary(terminalreporter):
    """Print case x layer, and what every run and control came to."""
    rows, not_tested, not_counted = {}, set(), set()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            found = dict(getattr(report, "user_properties", ()))
            if outcome == "skipped" and "tests/attack" in report.nodeid:
                not_tested.add(report.longrepr[2].removeprefix("Skipped: "))
            if "attack" not in found:
                continue
            row = rows.setdefault(found["attack"], {"layer": found["layer"]})
            result = found.get("result", "FAILED") if outcome == "passed" else outcome.upper()
            row[found["part"]] = result
            if outcome == "skipped" and found["part"] == "control" and "NOT COUNTED" in report.longrepr[2]:
                not_counted.add(found["attack"])
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("attacks")
    parts = ("root", "user", "control")
    write(f"{'attack':42} {'stopped by':16} " + " ".join(f"{part:22}" for part in parts))
    for name, row in sorted(rows.items()):
        cells = " ".join(f"{row.get(part, '-'):22}" for part in parts)
        write(f"{name:42} {row['layer']:16} {cells}")
    for reason in sorted(not_tested):
        write(reason)
    tried = {name: {row.get("root"), row.get("user")} - {None, "SKIPPED"} for name, row in rows.items()}
    attacked = [name for name, results in tried.items() if results and name not in not_counted]
    # Of all of them: what gets through counts, whether or not its control could be made here.
    succeeded = sum(not results.isdisjoint({"FAILED", "ERROR"}) for results in tried.values())
    held = sum(row.get("control") == "works" for row in rows.values())
    if not_counted:
        write(f"{len(not_counted)} more attacks are not counted: this machine or user cannot make their control")
    write(f"{len(attacked)} attacks: {succeeded} succeeded; {held} controls held")
