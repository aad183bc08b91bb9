"""Page: submission uploads. This process stores the file for the intake and neither reads nor runs it."""

import streamlit as st

from harness.store.public import MAX_UPLOAD_BYTES, UsageError
from leaderboard import guard, source
from leaderboard.parts import title
from leaderboard.rounds import head_with_round
from leaderboard.texts import literal, moment, size

_POLL_S = 2
_FORM_WIDTH = 720
_MAX_TOKEN = 200
_WAITING = "upload-waiting"
_OPEN_PHASES = ("open", "frozen")


@st.fragment(run_every=_POLL_S)
def show_answer(number: str) -> None:
    """Show the intake's answer to an upload, as soon as there is one."""
    answer = source.spool().answer_to(number)
    if answer is None:
        st.info("Received; waiting for intake by a worker, which usually takes seconds.")
    elif answer.submission_id is None:
        st.error(f"Not accepted. {literal(answer.message)}")
    else:
        st.success(f"Accepted as submission {answer.submission_id}. Its runs are queued.")
        st.page_link(
            "pages/submission.py",
            label=f"Follow submission {answer.submission_id}",
            query_params={"id": str(answer.submission_id)},
        )


def main() -> None:
    """Show the page."""
    place, name = head_with_round()
    board_round = source.round_of(name)
    with place:
        title(
            "Submit",
            f"Round {board_round.name} {board_round.version} · {board_round.phase} · "
            f"closes {moment(board_round.closes)}",
        )
    if str(board_round.phase) not in _OPEN_PHASES:
        st.info(f"This round accepts no submissions: it is {board_round.phase}.")
        return
    if not source.takes_uploads():
        st.info("This board accepts no uploads; submit with the command line: gradfree submit")
        return
    limit = board_round.rules.get("limits", {}).get("submission_bytes")
    unpacked = "" if limit is None else f", {size(limit)} unpacked"
    with st.form("upload", border=True, width=_FORM_WIDTH):
        token = st.text_input(
            "Team token",
            type="password",
            max_chars=_MAX_TOKEN,
            autocomplete="off",
            help="Given to your team by the organizer.",
        )
        file = st.file_uploader(
            f"Submission: a zip with solver.toml and Python files (at most {size(MAX_UPLOAD_BYTES)}{unpacked})",
            type="zip",
            max_upload_size=max(MAX_UPLOAD_BYTES // 2**20, 1),
        )
        is_sent = st.form_submit_button("Submit", type="primary")
    if is_sent:
        st.session_state.pop(_WAITING, None)
        if not token.strip():
            st.error("Enter your team's token.")
        elif file is None:
            st.error("Choose a zip.")
        else:
            try:
                st.session_state[_WAITING] = source.spool().drop(name, token.strip(), file.getvalue())
            except UsageError as error:
                st.error(literal(str(error)))
    if _WAITING in st.session_state:
        show_answer(st.session_state[_WAITING])
    st.caption(
        "Files are checked and quotas apply as with `gradfree submit`. This page neither parses nor runs the Python "
        "files. Before you submit, check them with `gradfree check <folder>` and run them with "
        "`gradfree try <folder> --round toy --task sst2`."
    )


guard.show(main)
