"""Append-only files of JSON records, one a line, each with a checksum that tells what a kill or an edit has spoilt."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.storage import append_durably, write_whole

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not used."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}; the line is dropped, and the next run makes it again."


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, by prompt id and in the order of the file."""

    records: Mapping[str, Record]
    damages: tuple[Damage, ...]
    is_tidy: bool
    """Whether lines can be appended as the file stands."""


def read(path: Path) -> Contents:
    """Records by prompt id; a spoilt line is dropped and named, of two with one id the first counts."""
    content = path.read_bytes() if path.exists() else b""
    records: dict[str, Record] = {}
    damages: list[Damage] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        record = _parsed(line)
        if record is not None and record["prompt_id"] not in records:
            records[record["prompt_id"]] = record
        elif line.strip():
            reason = "torn or edited" if record is None else f"a second record of '{record['prompt_id']}'"
            damages.append(Damage(path, number, reason))
    return Contents(records, tuple(damages), is_tidy=not damages and (not content or content.endswith(b"\n")))


def recover(path: Path) -> Contents:
    """As `read`, and leave the file with its whole records only, so that it can be appended to."""
    contents = read(path)
    if not contents.is_tidy:
        write_whole(path, _lines(contents.records.values()))
    return contents


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records, each with a `prompt_id`, in one write that is on the disk when this returns."""
    append_durably(path, _lines(records))


def _lines(records: Iterable[Record]) -> bytes:
    return b"".join(_line(record) for record in records)


def _line(record: Record) -> bytes:
    # Escaped to ASCII: replies may hold lone surrogates and exotic line ends, which must not tear a line.
    whole = {**record, "checksum": _checksum(record)}
    return json.dumps(whole, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("prompt_id"), str):
        return None
    return record if record.pop("checksum", None) == _checksum(record) else None


def _checksum(record: Record) -> str:
    canonical = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
