"""Routes beside the app: the plain board and the exports. No JavaScript, no cookies; with ETags."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from harness.records import Phase
from harness.store.public import Board, BoardRound, GradfreeError, PublicStore, UsageError
from leaderboard.export import board_csv, board_json
from leaderboard.static_board import board_page

__all__ = ["routes"]

_HEADERS = {
    # A cached copy is used only after revalidation.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

_FORMS: dict[str, tuple[str, Callable[[Board, tuple[BoardRound, ...]], str]]] = {
    "/board.html": ("text/html; charset=utf-8", board_page),
    "/api/leaderboard.json": ("application/json; charset=utf-8", lambda board, _: board_json(board)),
    "/api/leaderboard.csv": ("text/csv; charset=utf-8", lambda board, _: board_csv(board)),
}


def routes(public_db: Callable[[], Path]) -> list[BaseRoute]:
    """Return the routes. A response is rendered again when the store's version or a round's phase changes.

    Args:
        public_db: returns the file of the public store.
    """

    @lru_cache(maxsize=2)
    def opened(path: Path, _inode: int) -> PublicStore:
        return PublicStore.open(path)

    @lru_cache(maxsize=32)
    def rendered(
        path: Path, inode: int, _version: int, _phases: tuple[Phase, ...], form: str, name: str
    ) -> tuple[bytes, str]:
        store = opened(path, inode)
        rounds = store.rounds()
        content = _FORMS[form][1](store.board(name or _newest(rounds)), rounds).encode()
        return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    def serve(request: Request) -> Response:
        form = next(path for path in _FORMS if request.url.path.endswith(path))
        name = request.query_params.get("round", "")
        try:
            path = public_db()
            inode = path.stat().st_ino
            store = opened(path, inode)
            # The clock closes a round without a new version of the store.
            phases = tuple(each.phase for each in store.rounds())
            content, tag = rendered(path, inode, store.version(), phases, form, name)
        except (UsageError, OSError) as error:
            text = (
                "no board yet; create a round first: gradfree round create toy"
                if isinstance(error, OSError)
                else str(error)
            )
            return PlainTextResponse(f"{text}\n", status_code=404, headers=_HEADERS)
        except GradfreeError as error:
            return PlainTextResponse(f"{error}\n", status_code=503, headers=_HEADERS)
        headers = {**_HEADERS, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_FORMS[form][0], headers=headers)

    return [Route(path, serve, methods=["GET"]) for path in _FORMS]


def _newest(rounds: tuple[BoardRound, ...]) -> str:
    if not rounds:
        raise UsageError("no round yet; the organizer creates one first")
    return rounds[0].name
