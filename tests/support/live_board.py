"""A running board and a Chromium to look at it with: for browser tests, benches and pictures."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.cli.doctor import BROWSERS
from leaderboard.launch import streamlit_command

__all__ = ["CHROMIUM", "FLAGS", "serve_board", "settle", "whole_page"]

CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_MAX_HEIGHT = 6000


@contextmanager
def serve_board(public_db: Path, log: Path, **options: Any) -> Iterator[str]:
    """Serve a public store on a free port; yield the address.

    Args:
        public_db: the store.
        log: file for the server's output.
        options: as for `streamlit_command`.

    Raises:
        RuntimeError: the server did not start; the message holds its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = streamlit_command(public_db, port=port, **options)
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _wait_until_healthy(server, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start: {log.read_text()}")


def settle(page: Any) -> None:
    """Wait until the app has nothing left to run."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def whole_page(page: Any) -> None:
    """Make the window as tall as the page: the app scrolls inside of it."""
    width = page.viewport_size["width"]
    height = page.evaluate("document.querySelector('[data-testid=stMain]')?.scrollHeight ?? document.body.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 8, _MAX_HEIGHT)})
