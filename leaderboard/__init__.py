"""The leaderboard: a Streamlit app that reads the public store and nothing else."""
