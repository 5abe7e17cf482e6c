"""Rows of a file: CSV, JSON, JSONL or parquet, by its ending."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.errors import UserError

Row = Mapping[str, object]


def read_rows(path: Path, header: Sequence[str] = ()) -> tuple[Row, ...]:
    """All rows of a file, in its order.

    Args:
        path: CSV, JSON (a list of objects), JSONL or parquet; texts in UTF-8, with or without a byte order mark.
        header: Names of the columns of a CSV without a header line.

    Raises:
        UserError: If the file is not there, of another kind, not in UTF-8, or not made of rows.
    """
    kind = path.suffix.lower()
    if path.is_dir():
        raise UserError(f"'{path}' is a folder. Give the path of a .csv, .json, .jsonl or .parquet file.")
    if kind not in (".csv", ".parquet", *_PARSERS):
        raise UserError(f"'{path}' is no table that can be read. Give a .csv, .json, .jsonl or .parquet file.")
    if not path.is_file():
        raise UserError(f"There is no file '{path}'. Give the path of a .csv, .json, .jsonl or .parquet file.")
    if kind == ".parquet":
        return _from_parquet(path)
    text = _text(path)
    rows = _from_csv(path, text, header) if kind == ".csv" else _from_json(path, text, _PARSERS[kind])
    if not rows:
        raise UserError(f"'{path}' has no rows.")
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(
            f"'{path}' is not in UTF-8: byte 0x{byte:02x} at position {error.start}. Save it in UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from error


def _from_csv(path: Path, text: str, header: Sequence[str]) -> tuple[Row, ...]:
    if "\0" in text:
        raise UserError(f"'{path}' is no CSV: it holds a NUL byte. Save it as text in UTF-8.")
    if len(header) != 1:
        _check_separator(path, text)
    records = _records(path, text)
    names, *cells = [list(header), *records] if header else records or [[]]
    _check_names(path, names)
    rows = [(number, row) for number, row in enumerate(cells, start=1) if row]
    for number, row in rows:
        if len(row) != len(names):
            raise UserError(f"Row {number} of '{path}' has {len(row)} cells; its header has {len(names)}.")
    return tuple(dict(zip(names, row, strict=True)) for _, row in rows)


def _records(path: Path, text: str) -> list[list[str]]:
    """Rows of cells of any length: the limit of the csv module, one for the whole process, is lifted meanwhile."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        return list(lines)
    except csv.Error as error:
        raise UserError(
            f"'{path}' is no CSV: {error}, at line {lines.line_num}. Close every quote, and double it inside a cell."
        ) from error
    finally:
        csv.field_size_limit(limit)


def _check_separator(path: Path, text: str) -> None:
    """Refuse a first line without commas that has other marks between its cells, whatever stands in their quotes."""
    first = re.sub(r'"(?:[^"]|"")*"', "", text.lstrip("\r\n")).partition("\n")[0]
    mark = next((mark for mark in _SEPARATORS if mark in first and "," not in first), None)
    if mark:
        raise UserError(f"'{path}' has {_SEPARATORS[mark]} between its columns. Save it with commas.")


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a header with a name twice."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name.strip()]
    if twice:
        raise UserError(f"'{path}' has two columns named '{twice[0]}'. Rename one.")


def _from_json(path: Path, text: str, parse: Callable[[str], object]) -> tuple[Row, ...]:
    try:
        content = parse(text)
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}' is no JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise UserError(f"'{path}' is no table: its brackets are nested too deep.") from error
    rows = content if isinstance(content, list) else None
    if rows is None or not all(isinstance(row, dict) for row in rows):
        seen = "a list with other things than objects" if rows else _KINDS.get(type(content), "a value")
        raise UserError(
            f"'{path}' is no table: it holds {seen}. Give a list of objects such as {{\"prompt\": ...}}, or one of "
            "them in each line of a .jsonl."
        )
    if "\\ud" in text.lower():
        _check_characters(path, rows)
    return tuple(rows)


def _check_characters(path: Path, rows: Sequence[Row]) -> None:
    """Refuse halves of characters, which JSON can escape and no text can hold."""
    try:
        json.dumps(rows, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise UserError(f"'{path}' holds {half}, which is half a character. Write both halves, or none.") from error


def _by_line(text: str) -> object:
    """Errors count the lines of the whole text."""
    rows = []
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, "\n" * number + line, number + error.pos) from error
    return rows


def _from_parquet(path: Path) -> tuple[Row, ...]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(f"'{path}' needs the package pyarrow. Run: pip install pyarrow.") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise UserError(f"'{path}' is no parquet file, or it is damaged. Write it again, or give a CSV.") from error
    if not rows:
        raise UserError(f"'{path}' has no rows.")
    return tuple(rows)


_SEPARATORS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}
_KINDS: Mapping[type, str] = {dict: "one object", str: "a text"}
_PARSERS: Mapping[str, Callable[[str], object]] = {".json": json.loads, ".jsonl": _by_line}
