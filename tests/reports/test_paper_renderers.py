import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from metrics.base import Direction, Estimate
from reports.base import Mark
from reports.paper import comma_separated, latex, markdown, page
from reports.paper.neuron_layers import Series, neuron_layers
from reports.paper.table import Cell, Heading, PaperTable, Row, letter
from reports.printed import Column, printed
from tests.reports.conftest import HOSTILE

RATE = Heading("harmful_refusal_percent", "SafeEdit", "Refuse Rate", Direction.HIGHER, "%", 100, 2)
BITS = Heading("harmful_entropy_bits", "SafeEdit", "Entropy", Direction.HIGHER, " bit", 1, 3)
SCORE = Heading("su_f1", "", "SU-F1", Direction.HIGHER)
NASTY = '50 %_&#$~^{}\\input{x} --- "quoted" `tick\' [a] *b <c> é ð 中 ' + HOSTILE


def row(model: str, name: str, mark: Mark = Mark.NONE) -> Row:
    cells = (
        Cell(RATE, Estimate(0.4267, 0.396, 0.458, 975), mark, published="49.74"),
        Cell(BITS, Estimate(5.019, 4.9, 5.1, 975, 2), notes=(0,)),
        Cell(SCORE, None, notes=(1,)),
    )
    return Row((model, name), cells)


@pytest.fixture
def table() -> PaperTable:
    rows = (
        row("one", "Default", Mark.BEST),
        row("one", "[odd] *name*", Mark.SECOND),
        row(NASTY, NASTY, Mark.TIED),
        row(NASTY, "*x", Mark.NONE),
    )
    notes = ("2 replies without a score are left out.", f"No such arm: {NASTY}")
    return PaperTable("table2", f"Made, on {NASTY}.", ("Models", "Methods"), (RATE, BITS, SCORE), rows, notes, True)


def test_markdown_bolds_the_best_and_underlines_the_second(table: PaperTable) -> None:
    text = markdown.render(table)
    assert "**42.67%** (39.60-45.80) \\[49.74%\\]" in text
    assert "<u>42.67%</u>" in text and "42.67% n.s." in text and "5.019 bit<sup>a</sup>" in text
    assert "SafeEdit Refuse Rate ↑" in text
    assert len({line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_latex_has_groups_rules_and_marks_of_booktabs(table: PaperTable) -> None:
    text = latex.render(table)
    assert r" &  & \multicolumn{2}{c}{SafeEdit} &  \\" in text
    assert r"\cmidrule(lr){3-4}" in text
    assert r"Models & Methods & Refuse Rate$\uparrow$ & Entropy$\uparrow$ & SU-F1$\uparrow$ \\" in text
    assert r"\textbf{42.67\%}" in text and r"\underline{42.67\%}" in text and r"(39.60--45.80)" in text
    assert r"\textit{{[}49.74\%{]}}" in text
    assert text.count(r"\midrule") == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("50 %", r"50 \%"),
        ("a_b & c#d", r"a\_b \& c\#d"),
        (r"C:\x", r"C:\textbackslash{}x"),
        ("{$x^2$}", r"\{\$x\textasciicircum{}2\$\}"),
        ("a--b", "a-{}-b"),
        ("[x] *y", "{[}x{]} {*}y"),
        ("é中", "éU+4E2D"),
    ],
)
def test_latex_prints_names_as_they_are(text: str, wanted: str) -> None:
    assert latex.escaped(text) == wanted


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")
def test_latex_compiles_whatever_the_names_hold(table: PaperTable, tmp_path: Path) -> None:
    (tmp_path / "figure3.pdf").write_bytes(
        printed(neuron_layers([Series("Safety", [1, 2], [0.1, 0.2])], ""), Column.SINGLE, "pdf")
    )
    (tmp_path / "a.tex").write_text(latex.render(table))
    (tmp_path / "b.tex").write_text(latex.figure(table, "figure3.pdf"))
    lines = (r"\documentclass{article}", r"\usepackage{booktabs,graphicx}", r"\begin{document}")
    (tmp_path / "main.tex").write_text("\n".join([*lines, r"\input{a}\input{b}", r"\end{document}"]))
    command = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    assert (tmp_path / "main.pdf").stat().st_size > 5000


def test_csv_holds_every_number_with_its_ends(table: PaperTable) -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated.render(table))))
    assert len(rows) == 4
    first = rows[0]
    assert (first["models"], first["methods"]) == ("one", "Default")
    keys = ("", "_low", "_high", "_n", "_unscored", "_mark", "_published")
    found = [first[f"harmful_refusal_percent{key}"] for key in keys]
    assert found == ["42.67", "39.6", "45.8", "975", "0", "best", "49.74"]
    assert [first[f"su_f1{key}"] for key in keys] == [""] * 7


def test_the_page_escapes_what_others_wrote_and_needs_nothing_else(table: PaperTable) -> None:
    text = page.render(table)
    assert "<img" not in text and "<script" not in text and "\x1b" not in text
    assert '<span class="best">42.67%</span>' in text and "[49.74%]" in text
    assert not re.search(r'(src|href)="http', text)
    assert text.count('rowspan="2">') == 4  # Two stubs, and two blocks of two rows.


def test_notes_go_on_after_z() -> None:
    assert [letter(place) for place in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]


def test_the_figure_names_its_sets_and_says_what_it_shows() -> None:
    panels = [Series("Safety", [1, 7, 2], [0.5, 3.5, 1.0]), Series("Utility", [0, 0, 0], ())]
    drawing = neuron_layers(panels, "Neurons by layer").svg
    assert "Safety neurons" in drawing and 'aria-label="Neurons by layer"' in drawing
