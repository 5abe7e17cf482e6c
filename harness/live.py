"""A run under way on the screen: the board as a table that fits the terminal, whatever its size."""

from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.base import Benchmark
from harness.board import Board, Row, State
from reports.foreign import one_line

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

STYLES = {State.WAITING: "dim", State.RUNNING: "cyan", State.DONE: "green", State.FAILED: "bold red"}
"""The word beside says the same."""
GAP = 2
OTHER_LINES = 9
"""Of the screen: headings, the line of the whole run, the bar of the stage, and what was told before."""
FEWEST_ROWS = 3
FIRST_COLUMNS = 3
"""That are always there: arm, state, replies."""
NOTE = "So far, in % (replies that count)."


def screen(board: Board, bars: "RenderableType", width: int, height: int) -> "Group":
    """The table, the bar of the stage, and a line on the whole run."""
    from rich.console import Group
    from rich.text import Text

    rows = board.rows()
    table = _table(board, _window(rows, max(FEWEST_ROWS, height - OTHER_LINES)), width)
    note = [Text(NOTE, style="dim", no_wrap=True, overflow="ellipsis")] if len(table.columns) > FIRST_COLUMNS else []
    whole = Text(_whole_run(board, rows))
    whole.truncate(width - len("^C") - 1, overflow="ellipsis")  # what is typed must not begin a new line
    return Group(table, *note, bars, whole)


def _table(board: Board, rows: list[Row], width: int) -> "Table":
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    longest = max(len(f"{row.done}/{row.total}") for row in rows)
    names = min(max(cell_len(one_line(row.label)) for row in rows), max(8, width // 4))
    numbers = len(f"100.0 ({max(row.total for row in rows)})")
    room = width - names - len("waiting") - longest - 2 * GAP
    shown = _shown(board, room // (numbers + GAP))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="")
    table.add_column("arm", no_wrap=True, overflow="ellipsis", width=names)
    table.add_column("", width=len("waiting"))
    table.add_column("replies", justify="right", no_wrap=True)
    for one in shown:
        heading = Text(f"{_short(one, board)}\n{board.counted(one)}", overflow="ellipsis", no_wrap=True)
        table.add_column(heading, justify="right", no_wrap=True, overflow="ellipsis", width=numbers)
    for row in rows:
        state = Text(row.state, style=STYLES[row.state])
        table.add_row(
            Text(one_line(row.label)),
            state,
            f"{row.done}/{row.total}",
            *(_number(board, row.label, one) for one in shown),
        )
    return table


def _shown(board: Board, most: int) -> list[Benchmark]:
    """As many as there is room for, the first of every kind before the second of any."""
    ranked: list[tuple[int, int]] = []
    seen: Counter[str] = Counter()
    for place, one in enumerate(board.benchmarks):
        if kind := board.counted(one):
            ranked.append((seen[kind], place))
            seen[kind] += 1
    return [board.benchmarks[place] for place in sorted(place for _, place in sorted(ranked)[: max(0, most)])]


def _number(board: Board, arm: str, benchmark: Benchmark) -> str:
    rate = board.rate(arm, benchmark.name)
    return f"{rate.percent:.1f} ({rate.n})" if rate else ""


def _short(benchmark: Benchmark, board: Board) -> str:
    """Without the word that all benchmarks begin with."""
    first, _, rest = benchmark.name.partition("_")
    is_shared = len(board.benchmarks) > 1 and all(one.name.startswith(f"{first}_") for one in board.benchmarks)
    return one_line(rest if is_shared else benchmark.name)


def _window(rows: list[Row], most: int) -> list[Row]:
    """As many rows as there is room for, around those at work."""
    places = [place for place, row in enumerate(rows) if row.state is State.RUNNING] or [0]
    start = max(0, min(places[0] - most // 2, len(rows) - most))
    return rows[start : start + most]


def _whole_run(board: Board, rows: list[Row]) -> str:
    done, total = sum(row.done for row in rows), sum(row.total for row in rows)
    left = board.expected()
    about = "about" if left.is_whole else "at least"
    told = f", {about} {duration(left.seconds)} left" if left.seconds else ""
    counts = {state: sum(row.state is state for row in rows) for state in State}
    arms = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{done} of {total} replies{told}; arms: {arms}"


def duration(seconds: float) -> str:
    """`0:07`, `12:30`, `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
