"""`equipoise view`: the address, and the server behind it until Ctrl-C."""

import errno
from collections.abc import Callable

from benchmarks.errors import UserError
from harness.remote.address import address
from harness.run_folder import RunFolder
from harness.viewing.server import ADDRESS, Server, Viewing

PORT = 8765
"""Where a page can be kept open from one run to the next; another one if it is taken."""
INTERRUPTED = 130


def view(place: str, port: int | None, judge: str | None, say: Callable[[str], None], *, opens: bool) -> int:
    """Serve a run, begun or not, until the user stops it; gives the exit code.

    Raises:
        UserError: If the port is taken, there is no such judge, or a run is there that this version cannot read.
    """
    from metrics.registry import judge as find_judge

    folder = RunFolder(*address(place))
    is_there = folder.header_file.exists()
    if is_there:
        folder.header()
    if judge:
        find_judge(judge)
    with served(Viewing(folder, judge), port) as server:
        state = "" if is_there else ", where no run has begun yet,"
        say(f"'{folder.name}'{state} is shown at {server.url} (Ctrl-C ends it)")
        if opens:
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def served(viewing: Viewing, port: int | None) -> Server:
    """A server that listens already, at the port or, where none is given, at ours or any that is free.

    Raises:
        UserError: If the port is taken or not allowed.
    """
    try:
        return Server(PORT if port is None else port, viewing)
    except (OSError, OverflowError) as error:
        if port is None:
            return Server(0, viewing)
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is taken" if is_taken else "cannot be had"
        raise UserError(
            f"Port {port} of {ADDRESS} {why}. Give another --port, or none for any that is free."
        ) from error
