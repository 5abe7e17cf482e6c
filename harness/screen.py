"""How wide what is printed may be."""

import shutil
import sys

from reports.terminal import WIDTH


def columns() -> int:
    """Of the terminal that results are printed in; that of a plain page where they go into a file or a pipe."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
