"""Take a picture of every page: light, dark and on a phone. Run by `make screenshots`.

The arena is made up, except that its board, pages and states are the real ones.
"""

import argparse
import io
import tempfile
from pathlib import Path

from live_board import CHROMIUM, FLAGS, serve_board, settle, whole_page
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from sample_arena import build_sample_arena

from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore

_LOOKS = {"light": (1360, "light"), "dark": (1360, "dark"), "phone": (390, "light"), "phone-dark": (390, "dark")}
_DRAWN_MS = 1500


def addresses(paths: ArenaPaths) -> dict[str, str]:
    """Return name -> address of every page and of the states worth a look."""
    with PublicStore.open(paths.public_db) as store:
        entries = store.board("sample").entries
    number = {entry.solver: entry.submission_id for entry in entries}
    first = entries[0].submission_id
    third = next(entry.submission_id for entry in entries if entry.rank == 3)
    return {
        "board": "/",
        "board-tasks": "/?view=tasks",
        "board-cost": "/?view=cost&plot=intervals",
        "board-targets": "/?plot=targets",
        "submission": f"/submission?id={first}",
        "submission-running": f"/submission?id={number['in progress']}",
        "submission-failed": f"/submission?id={number['division by zero']}",
        "task": "/task?task=snli",
        "compare": f"/compare?ids={first},{third},{number['BBTv2']}",
        "submissions": "/submissions",
        "submit": "/submit",
        "rules": "/rules",
        "unknown": "/submission?id=9999",
        "static": "/board.html",
    }


def take(browser: Browser, address: str, paths: dict[str, str], folder: Path, looks: list[str]) -> None:
    """Write one PNG per page and look."""
    for look in looks:
        width, scheme = _LOOKS[look]
        context = browser.new_context(
            viewport={"width": width, "height": 1000}, color_scheme=scheme, device_scale_factor=1
        )
        page = context.new_page()
        for name, path in paths.items():
            page.set_viewport_size({"width": width, "height": 1000})
            page.goto(address + path)
            if name != "static":
                settle(page)
                page.wait_for_timeout(_DRAWN_MS)
            whole_page(page)
            page.wait_for_timeout(_DRAWN_MS // 2)
            page.screenshot(path=str(folder / f"{name}-{look}.png"))
        context.close()


def take_for_readme(browser: Browser, address: str, folder: Path) -> None:
    """Write the top of the board, light and dark, in few colours: the README shows it at half its size."""
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": 1320, "height": 800}, color_scheme=scheme, device_scale_factor=1
        )
        page = context.new_page()
        page.goto(address)
        settle(page)
        page.wait_for_timeout(2 * _DRAWN_MS)
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            palette = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
            palette.save(folder / f"board-{scheme}.png", optimize=True)
        context.close()


def main() -> None:
    """Build, serve, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, help="a sample arena made before")
    parser.add_argument("--only", nargs="*", help="names of pages")
    parser.add_argument("--looks", nargs="*", default=list(_LOOKS))
    parser.add_argument("--readme", type=Path, help="a folder for the two pictures of the README")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        paths = ArenaPaths(options.home or Path(scratch) / "arena")
        if not paths.public_db.exists():
            build_sample_arena(paths, n_teams=20)
        wanted = {name: path for name, path in addresses(paths).items() if not options.only or name in options.only}
        with (
            serve_board(paths.public_db, Path(scratch) / "log.txt", spool=paths.spool) as address,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            take(browser, address, wanted, options.folder, options.looks)
            if options.readme:
                take_for_readme(browser, address, options.readme)
            browser.close()


if __name__ == "__main__":
    main()
