import shutil
import subprocess
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import IO, Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from reports.bars import bars
from reports.base import Comparison
from reports.dose_response import Curve, dose_response
from reports.figures import GRID, INK, Plot, Range, panels_across
from reports.plots import plots
from reports.printed import FORMATS, Column, printed
from reports.trade_off import trade_offs
from tests.reports.conftest import HOSTILE

CURVES = [Curve("chosen", [Range(0.1, 0.2, 0.3), Range(0.3, 0.4, 0.5)])]


def kept(plot: Plot, column: Column, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The figure that was printed."""
    found: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, stream: IO[bytes], *, format: str, metadata: Any) -> None:  # noqa: ANN401
        found.append(figure)
        save(figure, stream, format=format, metadata=metadata)

    monkeypatch.setattr(Figure, "savefig", keep)
    printed(plot, column, "pdf")
    return found[0]


def test_the_same_numbers_give_the_same_bytes(comparison: Comparison) -> None:
    for plot in plots(comparison).all:
        for form in FORMATS:
            assert printed(plot, Column.SINGLE, form) == printed(plot, Column.SINGLE, form)


@pytest.mark.parametrize(("column", "points"), [(Column.SINGLE, 234), (Column.DOUBLE, 486)])
def test_a_figure_is_as_wide_as_its_column(column: Column, points: int, comparison: Comparison) -> None:
    for plot in plots(comparison).all:
        assert f"/MediaBox [ 0 0 {points} ".encode() in printed(plot, column, "pdf")
        assert f'width="{points}pt"'.encode() in printed(plot, column, "svg")


def test_text_is_outlines_in_an_svg_and_truetype_in_a_pdf(comparison: Comparison) -> None:
    plot = bars(comparison)[0]
    assert b"<text" not in printed(plot, Column.SINGLE, "svg")
    pdf = printed(plot, Column.SINGLE, "pdf")
    assert b"STIXGeneral" in pdf and b"/FontFile2" in pdf and b"/Type3" not in pdf


def test_ink_is_black_and_the_page_keeps_its_own(comparison: Comparison) -> None:
    plot = trade_offs(comparison)[0]
    before = plot.svg
    svg = printed(plot, Column.SINGLE, "svg").decode()
    assert "stroke: #000000" in svg and "#b4b4b4" in svg
    assert INK not in svg and GRID not in svg and "currentColor" not in svg
    assert replace(plot).svg == before


@pytest.mark.parametrize("column", Column)
def test_no_name_or_number_covers_another_or_leaves_the_figure(
    column: Column, comparison: Comparison, many_arms: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plot in (*bars(many_arms)[:2], bars(comparison)[0], *trade_offs(replace(many_arms, arms=many_arms.arms[:12]))):
        figure = kept(plot, column, monkeypatch)
        figure.draw_without_rendering()  # in the figure's own pixels again
        texts = [*figure.axes[0].get_yticklabels()] if figure.axes[0].get_xticks().size == 0 else []
        texts += [one for one in figure.axes[0].texts if isinstance(one, Annotation)]
        boxes = [Text.get_window_extent(one) for one in texts]  # an annotation's own holds its line, too
        width, height = figure.bbox.size
        assert len(boxes) >= 4
        assert all(box.x0 > -1 and box.x1 < width + 1 and box.y0 > -1 and box.y1 < height + 2 for box in boxes), (
            plot.key
        )
        # Ascenders and descenders of neighbours may meet.
        for one, other in combinations([box.shrunk(1.0, 0.8) for box in boxes], 2):
            assert not one.overlaps(other), plot.key


def test_panels_that_have_no_room_beside_each_other_stand_below(monkeypatch: pytest.MonkeyPatch) -> None:
    plot = dose_response("d", "Dose", "dose", dict.fromkeys(("a", "b", "c"), CURVES), [1, 0.5])
    narrow, wide = (kept(plot, column, monkeypatch) for column in (Column.SINGLE, Column.DOUBLE))
    assert [len({round(axes.get_position().y0, 1) for axes in one.axes}) for one in (narrow, wide)] == [3, 2]
    assert narrow.get_size_inches()[1] == pytest.approx(3 * 3.4 * 0.7)
    assert wide.get_size_inches()[1] == pytest.approx(2 * 3.4 * 0.8)


def test_as_many_panels_stand_side_by_side_as_fit() -> None:
    assert [panels_across(3, 3.6, width) for width in (1.0, 3.6, 7.2, 10.8, 50.0)] == [1, 1, 2, 3, 3]


def test_hostile_names_and_scripts_without_a_glyph_are_drawn_without_a_word(
    comparison: Comparison, recwarn: pytest.WarningsRecorder
) -> None:
    named = replace(comparison.arms[1], name=f"\u5b89\u5168 {HOSTILE}")
    estimates = {(named.name, key): one for (arm, key), one in comparison.estimates.items() if arm == "neurontune"}
    hostile = replace(comparison, arms=(comparison.arms[0], named), estimates={**comparison.estimates, **estimates})
    for plot in plots(hostile).all:
        for form in FORMATS:
            assert printed(plot, Column.SINGLE, form)
    assert not [str(one.message) for one in recwarn]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler")
def test_text_can_be_read_out_of_the_pdf(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(printed(bars(comparison)[0], Column.SINGLE, "pdf"))
    text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "neurontune" in text and "62.0" in text
