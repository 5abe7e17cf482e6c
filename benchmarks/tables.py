"""Rows of a file: CSV, JSON, JSONL or parquet, by its ending."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.errors import UserError, describe

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
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise UserError(f"'{path}' is no CSV: {error}.") from error
    names, *cells = [list(header), *records] if header else records or [[]]
    rows = [(number, row) for number, row in enumerate(cells, start=1) if row]
    for number, row in rows:
        if len(row) != len(names):
            raise UserError(f"Row {number} of '{path}' has {len(row)} cells; its header has {len(names)}.")
    return tuple(dict(zip(names, row, strict=True)) for _, row in rows)


def _from_json(path: Path, text: str, parse: Callable[[str], object]) -> tuple[Row, ...]:
    try:
        content = parse(text)
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}' is no JSON: {describe(error)}.") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise UserError(
            f"'{path}' is no table: it must hold objects such as {{\"prompt\": ...}}, in a list or by line."
        )
    return tuple(content)


def _by_line(text: str) -> object:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _from_parquet(path: Path) -> tuple[Row, ...]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(f"'{path}' needs the package pyarrow. Run: pip install pyarrow.") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise UserError(f"'{path}' is no parquet file: {describe(error)}.") from error
    if not rows:
        raise UserError(f"'{path}' has no rows.")
    return tuple(rows)


_PARSERS: Mapping[str, Callable[[str], object]] = {".json": json.loads, ".jsonl": _by_line}
