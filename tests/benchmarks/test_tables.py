import csv
import json
from pathlib import Path

import pytest

from benchmarks.errors import UserError
from benchmarks.tables import read_rows


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_one_table_reads_the_same_from_every_format(tmp_path: Path) -> None:
    rows = [{"prompt": "Why, though?", "note": "two\nlines"}, {"prompt": "Où?", "note": ""}]
    by_line = "".join(json.dumps(row) + "\n" for row in rows)
    paths = [
        write(tmp_path, "a.csv", 'prompt,note\n"Why, though?","two\nlines"\nOù?,\n'),
        write(tmp_path, "b.csv", 'prompt,note\r\n"Why, though?","two\nlines"\r\nOù?,\r\n', "utf-8-sig"),
        write(tmp_path, "c.json", json.dumps(rows)),
        write(tmp_path, "d.jsonl", by_line + "\n"),
    ]
    assert [list(read_rows(path)) for path in paths] == [rows] * 4


def test_parquet_reads_as_json_does(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow, which is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"prompt": "Why?", "choices": ["a", "b"]}, {"prompt": "Who?", "choices": ["c", "d"]}]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert list(read_rows(tmp_path / "rows.parquet")) == rows
    with pytest.raises(UserError, match=r"bad.parquet' is no parquet file, or it is damaged."):
        read_rows(write(tmp_path, "bad.parquet", "PAR0"))


def test_columns_are_named_where_a_file_names_none(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "Why?,A\nWho?,B\n"), header=("question", "answer")) == (
        {"question": "Why?", "answer": "A"},
        {"question": "Who?", "answer": "B"},
    )


def test_a_cell_of_any_length_is_read(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "why " * 40_000
    assert read_rows(write(tmp_path, "a.csv", f'prompt,note\n"{long}",x\n'))[0]["prompt"] == long
    assert csv.field_size_limit() == before


def test_marks_inside_of_quotes_or_of_a_single_column_separate_nothing(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", '"prompt; or text"\nWhy; then?\n')) == (
        {"prompt; or text": "Why; then?"},
    )
    assert read_rows(write(tmp_path, "b.csv", "Why | then?\n"), header=("prompt",)) == ({"prompt": "Why | then?"},)
    assert read_rows(write(tmp_path, "c.csv", "prompt,a|b\nWhy;,x\n")) == ({"prompt": "Why;", "a|b": "x"},)


def test_a_line_separator_inside_a_cell_is_no_new_row(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "prompt\nOne\u2028two\n")) == ({"prompt": "One\u2028two"},)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "x", "'{path}' is no table that can be read. Give a .csv, .json, .jsonl or .parquet file."),
        ("a.csv", "prompt,note\nWhy?\n", "Row 1 of '{path}' has 1 cells; its header has 2."),
        ("a.csv", "prompt\n", "'{path}' has no rows."),
        ("a.csv", "", "'{path}' has no rows."),
        (
            "a.csv",
            'prompt\n"Why?\n',
            "'{path}' is no CSV: unexpected end of data, at line 2. Close every quote, and double it inside a cell.",
        ),
        ("a.csv", "prompt;note\nWhy?;x\n", "'{path}' has semicolons between its columns. Save it with commas."),
        ("a.csv", "prompt;note\nWhy, then?;x\n", "'{path}' has semicolons between its columns. Save it with commas."),
        (
            "a.csv",
            '"prompt";"note"\n"Why, then?";"x"\n',
            "'{path}' has semicolons between its columns. Save it with commas.",
        ),
        ("a.csv", 'prompt;note\n"Why, then?";x\n', "'{path}' has semicolons between its columns. Save it with commas."),
        ("a.csv", 'prompt|note\n"Why, then?"|x\n', "'{path}' has bars between its columns. Save it with commas."),
        ("a.csv", '"a, b"\t"note"\r\n"Why?"\tx\r\n', "'{path}' has tabs between its columns. Save it with commas."),
        ("a.csv", "prompt\tnote\nWhy?\tx\n", "'{path}' has tabs between its columns. Save it with commas."),
        ("a.csv", "prompt,prompt\nWhy?,Who?\n", "'{path}' has two columns named 'prompt'. Rename one."),
        ("a.csv", "prompt\nWh\0y?\n", "'{path}' is no CSV: it holds a NUL byte. Save it as text in UTF-8."),
        ("a.json", "[]", "'{path}' has no rows."),
        (
            "a.json",
            '{"prompt": "Why?"}',
            "'{path}' is no table: it holds one object. Give a list of objects such as {{\"prompt\": ...}}, or one of "
            "them in each line of a .jsonl.",
        ),
        (
            "a.jsonl",
            '{"prompt": "Why?"}\nnull\n',
            "'{path}' is no table: it holds a list with other things than objects. Give a list of objects such as "
            '{{"prompt": ...}}, or one of them in each line of a .jsonl.',
        ),
        ("a.json", "", "'{path}' is no JSON: Expecting value in line 1, column 1."),
        ("a.jsonl", "", "'{path}' has no rows."),
        (
            "a.jsonl",
            '{"prompt": "Why?"}\n\n{"prompt": \n',
            "'{path}' is no JSON: Expecting value in line 3, column 12.",
        ),
        ("a.json", "[" * 100_000, "'{path}' is no table: its brackets are nested too deep."),
        (
            "a.jsonl",
            '{"prompt": "a \\uD800 b"}',
            "'{path}' holds \\ud800, which is half a character. Write both halves, or none.",
        ),
        ("a.parquet", "x", "'{path}' is no parquet file, or it is damaged. Write it again, or give a CSV."),
        ("a.parquet", "", "'{path}' is no parquet file, or it is damaged. Write it again, or give a CSV."),
    ],
)
def test_what_is_no_table_is_told_in_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(UserError) as told:
        read_rows(path)
    assert str(told.value) == message.format(path=path)


def test_a_wrong_encoding_is_told_with_its_first_byte(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "prompt\nOù?\n", "latin-1")
    with pytest.raises(UserError) as told:
        read_rows(path)
    assert str(told.value) == f"'{path}' is not in UTF-8: byte 0xf9 at position 8. Save it in UTF-8."


def test_a_character_in_two_escapes_is_read(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.jsonl", '{"prompt": "\\ud83d\\ude00"}')) == ({"prompt": "\U0001f600"},)


def test_unnamed_columns_at_the_end_of_a_csv_do_no_harm(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "prompt,,\nWhy?,,\n"))[0]["prompt"] == "Why?"


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.parquet"])
def test_a_folder_is_no_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError) as told:
        read_rows(tmp_path / name)
    assert str(told.value) == (
        f"'{tmp_path / name}' is a folder. Give the path of a .csv, .json, .jsonl or .parquet file."
    )


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gone.csv"
    with pytest.raises(UserError) as told:
        read_rows(path)
    assert str(told.value) == f"There is no file '{path}'. Give the path of a .csv, .json, .jsonl or .parquet file."
