"""All attacks by name, read from the hostile modules; and the table of layers that SECURITY.md shows."""

import importlib
import sys
from collections import Counter
from pathlib import Path

HOSTILE = Path(__file__).parent / "hostile"

# The hostile modules import one another by plain names, as they do inside the sandbox.
sys.path.append(str(HOSTILE))

import case  # noqa: E402

GROUPS = {
    "files": "files of others",
    "leftovers": "environment, descriptors, leftovers",
    "network": "network and sockets",
    "ipc": "other processes' memory, locks, terminals",
    "kernel": "kernel surface",
    "execution": "other programs",
    "processes": "processes, users, limits",
    "memory": "memory",
    "disk": "scratch folder",
    "duration": "time",
    "output": "log and messages",
    "protocol": "wire protocol",
    "meter": "meter and queries",
    "testing": "test outputs and `predict`",
    "publication": "what others may read",
}
LAYERS = (
    case.ENVIRONMENT,
    case.MOUNTS,
    case.SECCOMP,
    case.RLIMITS,
    case.GROUPS,
    case.WATCHDOG,
    case.LOG,
    case.WIRE,
    case.METER,
    case.SESSION,
    case.PUBLIC,
)

for _group in GROUPS:
    importlib.import_module(_group)

ATTACKS = case.ATTACKS


def layer_table():
    """Markdown: per group of attacks, how many each layer stops first."""
    counts = Counter((attack.group, attack.layer) for attack in ATTACKS.values())
    lines = ["| attacks | " + " | ".join(LAYERS) + " |", "|---|" + "---|" * len(LAYERS)]
    for group, title in GROUPS.items():
        cells = (str(counts[group, layer] or "") for layer in LAYERS)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines.append(f"\n{len(ATTACKS)} attacks.")
    return "\n".join(lines)


def with_table(page):
    """Return a page's text with the table between its marks brought up to date."""
    before, rest = page.split("<!-- attacks: begin -->")
    _, after = rest.split("<!-- attacks: end -->")
    return f"{before}<!-- attacks: begin -->\n\n{layer_table()}\n\n<!-- attacks: end -->{after}"


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "SECURITY.md"
    page.write_text(with_table(page.read_text()))
    print(layer_table())
