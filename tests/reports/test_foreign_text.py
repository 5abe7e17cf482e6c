import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from reports.foreign import markdown_text, one_line, spreadsheet_text, visible

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)
ARABIC_NUMBER_SIGNS = {*range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
EGYPTIAN_FORMATS = {*range(0x13430, 0x13460)}


def test_every_unseen_character_of_unicode_is_shown_except_newline_tab_and_joiners() -> None:
    unseen = {
        code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    kept = {code for code in unseen if visible(chr(code)) == chr(code)}
    assert kept <= {0x9, 0xA, 0x200C, 0x200D} | ARABIC_NUMBER_SIGNS | EGYPTIAN_FORMATS


def test_escapes_are_written_as_python_and_javascript_write_them() -> None:
    assert visible("\x1b[31m \u202e \ud800 \U000e0041") == "\\u001b[31m \\u202e \\ud800 \\U000e0041"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "naïve 漢字 שלום 👩\u200d🔧\n\tindented"
    assert visible(text) == text


@given(ANY_TEXT)
def test_visible_text_is_valid_unicode_and_holds_no_escape_character(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert "\x1b" not in shown and "\x00" not in shown
    assert visible(shown) == shown


@given(ANY_TEXT)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(ANY_TEXT)
def test_markdown_text_leaves_no_pipe_or_angle_bracket_unescaped(text: str) -> None:
    rest = markdown_text(text).replace("\\\\", "")
    for sign in "|<>`*[":
        assert rest.count(sign) == rest.count(f"\\{sign}")


def test_markdown_text_escapes_underscores_only_where_they_could_begin_emphasis() -> None:
    assert markdown_text("refusal_rate _a_ __b__") == "refusal_rate \\_a\\_ \\_\\_b\\_\\_"


def test_a_name_that_begins_like_a_formula_is_quoted_for_spreadsheets_and_no_other_is() -> None:
    names = ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "dinm@runs", "a=1", "neurontune+scans", ""]
    assert [spreadsheet_text(name) for name in names] == [
        *("'=1+1", "'+1", "'-x", "'@SUM(A1)", "'=1"),
        *("dinm@runs", "a=1", "neurontune+scans", ""),
    ]
