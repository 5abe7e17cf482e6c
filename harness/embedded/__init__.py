"""The embedded model: a small aligned chat model of the project's own, with the script that trains it."""
