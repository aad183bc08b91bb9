"""`gradfree demo`: the toy round, end to end."""

import shlex
import time
from pathlib import Path

from rich.markup import escape

from harness.cli.options import Home, Json, Unsafe, stores
from harness.cli.output import console, errors, print_board, print_json
from harness.cli.worker import refuse_held
from harness.config import RoundConfig, load_round
from harness.records import with_version
from harness.rounds.intake import baseline_folder, submit
from harness.rounds.lifecycle import create_round
from harness.sandbox import require_mode
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.sealed.rounds import find_round, list_rounds
from harness.store.sealed.submissions import list_submissions
from harness.store.sealed.teams import BASELINE_TEAM
from leaderboard.export import board_document

__all__ = ["demo"]

DEMO_HOME = Path(".gradfree/demo")
_EXAMPLE = Path(__file__).resolve().parents[2] / "submissions" / "examples" / "random_search"


def demo(home: Home = DEMO_HOME, unsafe: Unsafe = False, as_json: Json = False) -> None:
    """Run the toy round from an empty arena to a ranking; finished runs of an earlier demo are kept."""
    from harness.cli.progress import RunDisplay
    from harness.worker.worker import Worker

    started = time.monotonic()
    mode = require_mode(unsafe=unsafe)
    config = load_round("toy")
    _set_older_rules_aside(home, config)
    full_name = with_version(config.name, config.round.version)
    with stores(home, must_exist=False) as (paths, sealed, publisher):
        create_round(sealed, publisher, config)
        with sealed.read() as tx:
            entered = {item.name for item in list_submissions(tx, find_round(tx, full_name))}
        for name in ("manual", "bbtv2"):
            if name not in entered:
                folder = baseline_folder(name)
                submit(sealed, publisher, paths, config, folder, BASELINE_TEAM, entry="baseline")
        if "random-search" not in entered:
            submit(sealed, publisher, paths, config, _EXAMPLE, "example", entry="example")
        with RunDisplay(is_quiet=as_json) as display:
            Worker(sealed, publisher, paths, mode, display.on_event).run_until_idle(full_name)
        refuse_held(sealed, home, full_name)
        with PublicStore.open(paths.public_db) as public:
            board = public.board(full_name)
    if as_json:
        print_json(board_document(board))
        return
    print_board(board)
    console.print(f"done in {time.monotonic() - started:.0f} s; sandbox: {mode.value}")
    console.print(
        f"database:  {escape(str(paths.sealed_db.resolve()))} (sealed), {escape(paths.public_db.name)} (public)"
    )
    console.print(f"the board: gradfree board --home {escape(shlex.quote(str(home)))}   (or: make board)")


def _set_older_rules_aside(home: Path, config: RoundConfig) -> None:
    """Rename the arena of an earlier demo with other rules, so that its scores are kept apart."""
    if not ArenaPaths(home).sealed_db.exists():
        return
    with stores(home) as (_, sealed, _), sealed.read() as tx:
        digests = {stored.digest for stored in list_rounds(tx) if stored.config.name == config.name}
    if digests and config.digest() not in digests:
        aside = home.with_name(f"{home.name}-{min(digests)[:8]}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}-again")
        home.rename(aside)
        errors.print(escape(f"the toy round's rules have changed: the earlier demo is kept in {aside}"))
