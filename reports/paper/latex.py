r"""A paper table as LaTeX with booktabs: `\input` it. It needs `\usepackage{booktabs}`, a figure `graphicx`."""

import re
from collections.abc import Sequence

from metrics.base import Direction
from reports.base import Mark
from reports.foreign import one_line
from reports.paper.table import Cell, PaperTable, Row, lettered

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "_": r"\_",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
"""What LaTeX acts on, and how it is printed. A bracket or star would belong to the end of the line before it."""
UNSUPPORTED = "ªºÐðÞþ"
"""Latin letters that LaTeX's oldest font encoding lacks."""
ARROWS = {Direction.HIGHER: r"$\uparrow$", Direction.LOWER: r"$\downarrow$", Direction.NEITHER: ""}
WIDE = 5
"""Columns of numbers from which a table spans both columns of the page."""


def escaped(text: str) -> str:
    """Text that others wrote, as LaTeX prints it; a character that pdfLaTeX may lack a glyph for becomes `U+4E2D`."""
    return "".join(SIGNS.get(sign) or _glyph(sign) for sign in one_line(text)).replace("--", "-{}-")


def render(table: PaperTable) -> str:
    """The floating table, its caption below it as in the paper."""
    environment = "table*" if len(table.headings) >= WIDE else "table"
    columns = "l" * len(table.stubs) + "c" * len(table.headings)
    body = "\n\\midrule\n".join(_block(table, block) for block in table.blocks)
    return "\n".join(
        (
            r"% \usepackage{booktabs}",
            rf"\begin{{{environment}}}[t]",
            r"\centering\small\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *_headings(table),
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}",
            *_ending(table),
            rf"\end{{{environment}}}",
            "",
        )
    )


def figure(table: PaperTable, picture: str) -> str:
    """A floating figure around a picture that lies beside the file."""
    return "\n".join(
        (
            r"% \usepackage{graphicx}",
            r"\begin{figure}[t]",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{picture}}}",
            *_ending(table),
            r"\end{figure}",
            "",
        )
    )


def _ending(table: PaperTable) -> list[str]:
    notes = [rf"\par\smallskip\footnotesize $^{{{sign}}}$ {escaped(note)}" for sign, note in lettered(table.notes)]
    label = "tab" if table.name.startswith("table") else "fig"
    return [*notes, rf"\caption{{{escaped(table.caption)}}}", rf"\label{{{label}:{table.name}}}"]


def _headings(table: PaperTable) -> list[str]:
    lines = []
    if any(name for name, _ in table.groups):
        spans = [
            rf"\multicolumn{{{span}}}{{c}}{{{escaped(name)}}}" if name else "&" * (span - 1)
            for name, span in table.groups
        ]
        lines += [" & ".join([*("" for _ in table.stubs), *spans]) + r" \\", " ".join(_rules(table))]
    titles = [f"{escaped(heading.title)}{ARROWS[heading.direction]}" for heading in table.headings]
    return [*lines, " & ".join([*map(escaped, table.stubs), *titles]) + r" \\"]


def _rules(table: PaperTable) -> list[str]:
    """A line below each group's heading."""
    rules, place = [], len(table.stubs) + 1
    for name, span in table.groups:
        rules += [rf"\cmidrule(lr){{{place}-{place + span - 1}}}"] if name else []
        place += span
    return rules


def _block(table: PaperTable, rows: Sequence[Row]) -> str:
    """Rows of stacked cells stand a little apart."""
    is_stacked = any(table.parts(cell) for row in rows for cell in row.cells)
    between = "\n\\addlinespace\n" if is_stacked else "\n"
    return between.join(_row(table, row, first=not place) for place, row in enumerate(rows))


def _row(table: PaperTable, row: Row, *, first: bool) -> str:
    """The name of a block stands in its first row alone."""
    names = list(map(escaped, row.names))
    if len(names) > 1 and not first:
        names[0] = ""
    return " & ".join([*names, *(_cell(table, cell) for cell in row.cells)]) + r" \\"


def _cell(table: PaperTable, cell: Cell) -> str:
    value = escaped(cell.value) if cell.estimate and cell.estimate.value is not None else cell.value
    if cell.mark is Mark.BEST:
        value = rf"\textbf{{{value}}}"
    elif cell.mark is Mark.SECOND:
        value = rf"\underline{{{value}}}"
    elif cell.mark is Mark.TIED:
        value += r"$^{\mathrm{n.s.}}$"
    value += rf"$^{{\mathrm{{{cell.letters}}}}}$" if cell.notes else ""
    return _stacked([value, *(rf"\scriptsize {_below(part)}" for part in table.parts(cell))])


def _stacked(lines: Sequence[str]) -> str:
    """One below the other, the first on the line of its row."""
    if len(lines) == 1:
        return lines[0]
    return r"\begin{tabular}[t]{@{}c@{}}" + r" \\ ".join(lines) + r"\end{tabular}"


def _below(part: str) -> str:
    """An interval takes a dash between its ends; the paper's number is slanted."""
    if part.startswith("("):
        return re.sub(r"(?<=\d)-", "--", part.replace("%", r"\%"))
    return rf"\textit{{{escaped(part)}}}"


def _glyph(sign: str) -> str:
    if sign.isascii() or (sign.isalpha() and ord(sign) <= 0xFF and sign not in UNSUPPORTED):
        return sign
    return f"U+{ord(sign):04X}"
