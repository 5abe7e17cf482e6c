"""`equipoise leaderboard`: a static site over many runs, grouped by what a fair ranking needs to agree."""
