"""The pages of the board; `leaderboard.app` lists them."""
