"""The app: its name, its mark and its pages."""

from pathlib import Path

import streamlit as st

from leaderboard.theme import show_style

MARK = str(Path(__file__).parent / "assets" / "mark.png")

st.set_page_config(page_title="Gradfree Arena", page_icon=MARK, layout="wide")
st.logo(MARK, size="medium")
page = st.navigation(
    [
        st.Page("pages/board.py", title="Leaderboard", default=True),
        st.Page("pages/task.py", title="Tasks", url_path="task"),
        st.Page("pages/submissions.py", title="Submissions", url_path="submissions"),
        st.Page("pages/submit.py", title="Submit", url_path="submit"),
        st.Page("pages/rules.py", title="Rules", url_path="rules"),
        st.Page("pages/submission.py", title="Submission", url_path="submission", visibility="hidden"),
        st.Page("pages/compare.py", title="Compare", url_path="compare", visibility="hidden"),
    ],
    position="top",
)
show_style()
page.run()
