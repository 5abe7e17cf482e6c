"""A static site over many runs: rankings, filters, history and downloads, from what the harness has read."""
