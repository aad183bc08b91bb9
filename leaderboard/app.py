"""The app: its name, its mark and its pages."""

from pathlib import Path

import streamlit as st

MARK = str(Path(__file__).parent / "assets" / "mark.png")

st.set_page_config(page_title="Gradfree Arena", page_icon=MARK, layout="wide")
st.logo(MARK, size="medium")
st.navigation(
    [
        st.Page("pages/board.py", title="Leaderboard", default=True),
        st.Page("pages/rules.py", title="Rules", url_path="rules"),
        st.Page("pages/submission.py", title="Submission", url_path="submission", visibility="hidden"),
    ],
    position="top",
).run()
