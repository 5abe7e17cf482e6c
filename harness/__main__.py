"""`python -m harness` is `equipoise`."""

from harness.cli import main

main()
