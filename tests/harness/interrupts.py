import signal


def heed_interrupts() -> None:
    """A shell that starts the tests in the background tells them and their children to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
