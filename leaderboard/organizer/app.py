"""Pages of the organizer's view: plain HTML without JavaScript, rendered from the sealed store per request."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.records import Status
from harness.store.public import GradfreeError, UsageError
from leaderboard.markup import render
from leaderboard.organizer.access import OrganizerOnly
from leaderboard.palette import DARK, LIGHT
from leaderboard.parts import Card
from leaderboard.texts import counted, moment

__all__ = ["detail_text", "organizer_app"]

_PER_PAGE = 100
_AT_WORK = (Status.RUNNING, Status.SCORING)
_MAX_DIGITS = 9
_DIGEST = re.compile(r"\b[0-9a-f]{40,}\b")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SealedView(Protocol):
    """Interface of `harness.rounds.organizer_view.OrganizerStore`.

    The command line passes an instance, so that the leaderboard does not import the sealed store.
    """

    def rounds(self) -> Sequence[Any]:
        """Return every round, newest first."""
        ...

    def held(self, name: str) -> Sequence[Any]:
        """Return the runs of a round that are on hold."""
        ...

    def standings(self, name: str) -> Sequence[Any]:
        """Return the entries of a round that count, in the order that publication would give."""
        ...

    def submission(self, submission_id: int) -> Any:
        """Return a submission with private scores, attempts and its audit events."""
        ...

    def events(self, offset: int, limit: int) -> tuple[Sequence[Any], int]:
        """Return a page of audit events, newest first, and the number of all events."""
        ...


_Page = Callable[[SealedView, Request], str]


def organizer_app(store: SealedView, token: str, hosts: Sequence[str]) -> Starlette:
    """Return the app; it refuses requests without the token.

    Args:
        store: the sealed store, opened for reading.
        token: see `organizer_token`.
        hosts: accepted values of the Host header, such as "127.0.0.1:8502".
    """

    def answering(page: _Page) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                return HTMLResponse(page(store, request), headers=_HEADERS)
            except UsageError as error:
                return PlainTextResponse(f"{error}\n", 404, headers=_HEADERS)
            except GradfreeError as error:
                return PlainTextResponse(f"{error}\n", 503, headers=_HEADERS)

        return answer

    pages = {"/": _round_page, "/submission": _submission_page, "/events": _events_page}
    return Starlette(
        routes=[Route(path, answering(page), methods=["GET"]) for path, page in pages.items()],
        middleware=[Middleware(OrganizerOnly, token=token, hosts=hosts)],
    )


def _round_page(store: SealedView, request: Request) -> str:
    rounds = store.rounds()
    if not rounds:
        raise UsageError("no round yet; create one first: gradfree round create toy")
    name = request.query_params.get("round", rounds[0].name)
    # The newest version is listed first, by its name alone; older ones with their version.
    named: dict[str, Any] = {}
    for each in rounds:
        named[each.full_name if each.name in named else each.name] = each
    found = next((each for each in rounds if name in {each.name, each.full_name}), None)
    if found is None:
        raise UsageError(f"no round {name}; rounds: {', '.join(named)}")
    standings = store.standings(name)
    at, n_pages = _page_of(request, len(standings))
    return _render(
        "round.html",
        title=found.title or found.name,
        caption=f"Round {found.name} {found.version}",
        others=[other for other, each in named.items() if each is not found],
        name=name,
        cards=[
            Card(
                "Phase",
                str(found.phase).capitalize(),
                f"frozen since {moment(found.frozen_at)}"
                if found.frozen_at
                else f"closes {moment(found.closes)}"
                if found.closes
                else "no closing time",
            ),
            Card("Waiting", counted(found.runs.get(Status.QUEUED, 0), "run"), f"{found.n_held:,} of them on hold"),
            Card("Running", counted(sum(found.runs.get(each, 0) for each in _AT_WORK), "run"), "right now"),
            Card("Complete", f"{len(standings):,} entries", "one per team, plus baselines"),
        ],
        held=store.held(name),
        rows=[(entry, _moved(entry)) for entry in standings[(at - 1) * _PER_PAGE : at * _PER_PAGE]],
        at=at,
        n_pages=n_pages,
        here=f"/?round={name}&",
    )


def _moved(entry: Any) -> str:
    """Return the places that an entry gains or loses with publication."""
    if entry.public_rank is None or entry.private_rank is None:
        return ""
    won = entry.public_rank - entry.private_rank
    return "=" if won == 0 else f"▲ {won}" if won > 0 else f"▼ {-won}"


def _submission_page(store: SealedView, request: Request) -> str:
    found = store.submission(_number(request, "id"))
    submission = found.submission
    return _render(
        "submission.html",
        title=submission.name,
        caption=(
            f"Team {submission.team} · round {submission.round_name} {submission.round_version} · submission "
            f"{submission.submission_id} · {submission.status} · submitted {moment(submission.submitted_at)}"
        ),
        name=submission.round_name,
        submission=submission,
        attempts=found.attempts,
        run_names={run.run_id: f"{run.task}, seed {run.kshot_seed}" for run in submission.runs},
        events=found.events,
    )


def _events_page(store: SealedView, request: Request) -> str:
    at = max(_number(request, "page", 1), 1)
    events, n_events = store.events((at - 1) * _PER_PAGE, _PER_PAGE)
    return _render(
        "events.html",
        title="Events",
        caption=f"{n_events:,} audit events, newest first",
        events=events,
        at=at,
        n_pages=max(-(-n_events // _PER_PAGE), 1),
        here="/events?",
    )


def detail_text(detail: Mapping[str, Any]) -> str:
    """Return the details of an event in one line, with digests shortened."""
    return "; ".join(f"{key} {_DIGEST.sub(_beginning, str(value))}" for key, value in detail.items())


def _beginning(digest: re.Match[str]) -> str:
    return f"{digest[0][:12]}…"


def _number(request: Request, name: str, default: int | None = None) -> int:
    text = request.query_params.get(name, "" if default is None else str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise UsageError(f"{name}: got {text!r}, expected a number")
    return int(text)


def _page_of(request: Request, n_rows: int) -> tuple[int, int]:
    n_pages = max(-(-n_rows // _PER_PAGE), 1)
    return min(max(_number(request, "page", 1), 1), n_pages), n_pages


def _render(template: str, **values: Any) -> str:
    return render(
        f"organizer/{template}",
        light=asdict(LIGHT),
        dark=asdict(DARK),
        moment=moment,
        detail_text=detail_text,
        **values,
    )
