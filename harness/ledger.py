"""Append-only files of JSON records, one a line, each with a digest that tells what a kill or an edit has spoilt.

The digest is over the bytes of the line before it and over the cell that the file is of, so that neither a changed byte
nor a line of another cell passes. It guards against accidents and careless hands: who edits a line can make a new one.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.storage import append_durably, write_whole

Record = Mapping[str, Any]
TORN = "torn or edited"
"""What is said of a line that does not say otherwise."""
_SEAL = re.compile(rb', "digest": "([0-9a-f]{16})"}')
_LENGTH = len(b', "digest": ""}') + 16


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
    unbound: int = 0
    """Lines of earlier versions, whose checksum does not say which cell they are of."""


def read(path: Path) -> Contents:
    """Records by prompt id; a spoilt line is dropped and named, of two with one id the first counts."""
    content = path.read_bytes() if path.exists() else b""
    records: dict[str, Record] = {}
    damages: list[Damage] = []
    unbound, place = 0, _place(path)
    for number, line in enumerate(content.split(b"\n"), start=1):
        sealed = _sealed(line, place)
        record = _parsed(line) if sealed is None else sealed
        if record is not None and record["prompt_id"] not in records:
            records[record["prompt_id"]] = record
            unbound += sealed is None
        elif line.strip():
            reason = TORN if record is None else f"a second record of '{record['prompt_id']}'"
            damages.append(Damage(path, number, reason))
    is_tidy = not damages and (not content or content.endswith(b"\n"))
    return Contents(records, tuple(damages), is_tidy, unbound)


def is_of(line: bytes, path: Path) -> bool:
    """Whether a line was written, as it is, for this file."""
    return _sealed(line, _place(path)) is not None


def recover(path: Path) -> Contents:
    """As `read`, and leave the file with its whole records only, so that it can be appended to."""
    contents = read(path)
    if not contents.is_tidy:
        write_whole(path, _lines(path, contents.records.values()))
    return contents


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records, each with a `prompt_id`, in one write that is on the disk when this returns."""
    append_durably(path, _lines(path, records))


def _lines(path: Path, records: Iterable[Record]) -> bytes:
    place = _place(path)
    return b"".join(_line(record, place) for record in records)


def _line(record: Record, place: bytes) -> bytes:
    # Escaped to ASCII: replies may hold lone surrogates and exotic line ends, which must not tear a line.
    head = json.dumps(record, ensure_ascii=True, allow_nan=False).encode()[:-1]
    return head + b', "digest": "' + _digest(head, place) + b'"}\n'


def _place(path: Path) -> bytes:
    """The cell and what is told of it; of a file outside a run, its name."""
    last = path.parts[-4:]
    kept = last if last[0] in ("replies", "scores") else last[-1:]
    return "/".join(kept).encode(errors="surrogateescape")


def _sealed(line: bytes, place: bytes) -> Record | None:
    head, tail = line[:-_LENGTH], line[-_LENGTH:]
    seal = _SEAL.fullmatch(tail)
    if seal is None or seal[1] != _digest(head, place):
        return None
    record: Record = json.loads(head + b"}")
    return record


def _digest(head: bytes, place: bytes) -> bytes:
    return hashlib.sha256(place + b"\n" + head).hexdigest()[:16].encode()


def _parsed(line: bytes) -> Record | None:
    """A line of an earlier version."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("prompt_id"), str) or "checksum" not in record:
        return None
    return record if record.pop("checksum") == _checksum(record) else None


def _checksum(record: Record) -> str:
    canonical = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
