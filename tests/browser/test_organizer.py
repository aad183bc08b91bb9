"""The organizer's view in a browser, and what it looks like to somebody without the token."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness.rounds.organizer_view import OrganizerStore
from harness.store.sealed.store import SealedStore

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def organizer(arena, tmp_path_factory):
    """The running view: its address, its token, and its log at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "organizer.txt"
    gradfree = str(Path(sys.executable).with_name("gradfree"))
    command = [gradfree, "board", "--organizer", "--home", str(arena.home)]
    with log.open("w") as output:
        server = subprocess.Popen([*command, "--port", str(port)], stdout=output, stderr=output)
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=2)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.2)
        yield address, arena.organizer_token
        server.terminate()
        server.wait(20)
    assert arena.organizer_token.read_text().strip() not in log.read_text()


@pytest.fixture
def page(chromium, organizer):
    """A page of somebody who has entered the token; any complaint fails the test."""
    address, token = organizer
    context = chromium.new_context(
        http_credentials={"username": "organizer", "password": token.read_text().strip()},
        viewport={"width": 390, "height": 844},
        base_url=address,
    )
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda request: None if request.url.startswith((address, "data:")) else complaints.append(request.url),
    )
    yield page
    context.close()
    assert complaints == []


def test_organizer_finds_the_private_order_a_held_run_and_its_faults(page, arena):
    page.goto("/")
    with SealedStore.open_to_read(arena.sealed_db) as sealed:
        standings = OrganizerStore(sealed).standings("sample")
    rows = page.locator("table", has=page.locator("caption", has_text="by private score")).locator("tbody tr")
    assert rows.count() == len(standings)
    assert rows.first.locator("td").nth(2).inner_text() == f"{standings[0].private:.2f}"
    assert page.get_by_text("2 platform errors in a row").count() == 1
    page.get_by_role("link", name="unlucky").click()
    page.get_by_role("heading", name="Attempts").wait_for()
    assert page.get_by_text("the device was lost").count() >= 2
    page.get_by_role("link", name="Events").click()
    page.get_by_role("link", name="Next").click()
    page.get_by_text(re.compile("Page 2 of")).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", ["/", "/submission?id=1", "/events"])
def test_axe_finds_nothing_serious_in_light_and_dark(page, path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.goto(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = [
            f"{scheme} {each['id']} {[node['target'] for node in each['nodes']]}"
            for each in axe.run(page).response["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
        assert found == []


def test_without_the_token_there_is_nothing_to_see(organizer):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{organizer[0]}/submission?id=1")
    assert caught.value.code == 401
