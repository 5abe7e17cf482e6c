"""The folder of one comparison: where its files lie, who may write, and whether a rerun belongs to it."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.base import Benchmark
from benchmarks.errors import UserError
from harness.plan import Cell
from harness.protocol import check_same
from harness.provenance import here, maker
from harness.records import benchmark_from_json, benchmark_to_json
from harness.seal import sealed
from harness.storage import write_json, write_whole, writing

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run, and its header `run.json`."""

    root: Path
    url: str | None = None
    """Where the run belongs if the folder only mirrors it."""

    @property
    def name(self) -> str:
        """For messages."""
        return self.url or str(self.root)

    @property
    def lock_file(self) -> Path:
        """Locked by whoever writes."""
        return self.root / ".lock"

    def shown(self, path: Path) -> str:
        """A path in the folder, as a user finds it."""
        return f"{self.url}/{path.relative_to(self.root).as_posix()}" if self.url else str(path)

    @property
    def header_file(self) -> Path:
        """Protocol, arms and provenance."""
        return self.root / "run.json"

    def results(self, judge: str | None = None) -> Path:
        """Every number of the comparison; those of another judge than the run's own are beside."""
        return self.root / (f"results.{_file_name(judge)}.json" if judge else "results.json")

    def report(self, judge: str | None = None) -> Path:
        """Folder of the pages, likewise."""
        return self.root / "report" / (_file_name(judge) if judge else "")

    def benchmark_file(self, name: str) -> Path:
        """Its prompts, as they were put to the arms."""
        return self.root / "benchmarks" / f"{name}.jsonl"

    def replies(self, cell: Cell) -> Path:
        """One line a reply."""
        return self.root / "replies" / cell.arm / f"seed-{cell.seed}" / f"{cell.benchmark}.jsonl"

    def scores(self, cell: Cell) -> Path:
        """One line a reply: what only the model can tell of it."""
        return self.root / "scores" / cell.arm / f"seed-{cell.seed}" / f"{cell.benchmark}.jsonl"

    def parity(self, cell: Cell) -> Path:
        """How the replies of a server compare with those of the local network."""
        return self.root / "parity" / cell.arm / f"seed-{cell.seed}" / f"{cell.benchmark}.json"

    def artefact(self, arm: str, seed: int) -> Path:
        """Folder of what a fit left behind."""
        return self.root / "artefacts" / arm / f"seed-{seed}"

    def scratch(self, arm: str, seed: int, benchmark: str) -> Path:
        """Folder for what an arm would save while it answers, to see whether it changes."""
        return self.root / "artefacts" / arm / f"seed-{seed}.{benchmark}.again"

    def useful_replies(self, key: str) -> Path:
        """What the unmodified model says to benign prompts that are learnt from, by all that decides it."""
        return self.root / "useful_replies" / f"{key}.jsonl"

    def failure(self, arm: str) -> Path:
        """Traceback of what stopped an arm."""
        return self.root / "failures" / f"{arm}.txt"

    def discard(self, arm: str, seed: int) -> None:
        """Throw away all that an arm made with a seed."""
        for kind in ("artefacts", "replies", "scores", "parity"):
            shutil.rmtree(self.root / kind / arm / f"seed-{seed}", ignore_errors=True)

    def header(self) -> dict[str, Any]:
        """Content of `run.json`.

        Raises:
            UserError: If this is no run folder, or one of another version.
        """
        try:
            header = json.loads(self.header_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"'{self.name}' is no run folder: it has no readable run.json. Give the --output of an 'equipoise run'."
            ) from error
        version = header.get("schema_version") if isinstance(header, dict) else None
        if version != SCHEMA_VERSION:
            facts = header.get("provenance") if isinstance(header, dict) else None
            raise UserError(
                f"'{self.name}' was made by {maker(facts or {})} and has schema version {version}; this is {here()}, "
                f"which reads version {SCHEMA_VERSION}. Use that version, or make the run anew."
            )
        return dict(header)

    def begin(
        self,
        protocol: Mapping[str, Any],
        arms: Sequence[Mapping[str, Any]],
        benchmarks: Sequence[Benchmark],
        provenance: Mapping[str, Any],
    ) -> None:
        """Write the header of a new run, or check that an old one has the same protocol and note that it goes on.

        Raises:
            UserError: If the protocol changed.
            StorageError: If the folder cannot be written to.
        """
        with writing(self.root):
            if self.header_file.exists():
                header = self.header()
                check_same(self.name, header, protocol)
                header["resumed"] = [*header["resumed"], provenance]
            else:
                header = {"schema_version": SCHEMA_VERSION, "protocol": protocol, "arms": arms, "resumed": []}
                header["provenance"] = provenance
            for benchmark in benchmarks:
                self._write_benchmark(benchmark)
            write_json(self.header_file, sealed(header))

    def benchmark(self, name: str, content_hash: str) -> Benchmark:
        """A benchmark as it was put to the arms.

        Raises:
            UserError: If its file was changed or is gone.
        """
        path = self.benchmark_file(name)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            benchmark = benchmark_from_json([json.loads(line) for line in lines])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"'{path}' cannot be read. Run the same command again to write it anew.") from error
        if benchmark.content_hash != content_hash:
            raise UserError(f"'{path}' was changed since the run. Run the same command again to write it anew.")
        return benchmark

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing to this run.

        Raises:
            UserError: If another process has it.
            StorageError: If the folder cannot be written to.
        """
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = self.lock_file.open("a+")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                where = f", which keeps its files in '{self.root}'" if self.url else ""
                raise UserError(
                    f"Run folder '{self.name}' is in use by another process ({holder}){where}. "
                    "Wait for it to end, or choose another --output."
                ) from error
            with writing(self.root):
                lock.truncate(0)
                lock.write(f"pid {os.getpid()}")
                lock.flush()
            yield

    def _write_benchmark(self, benchmark: Benchmark) -> None:
        write_whole(self.benchmark_file(benchmark.name), benchmark_lines(benchmark))


def benchmark_lines(benchmark: Benchmark) -> bytes:
    """Content of a benchmark's file: a sealed head, and a line a prompt."""
    head, *prompts = benchmark_to_json(benchmark)
    return "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in (sealed(head), *prompts)).encode()


def _file_name(judge: str) -> str:
    """Of `folder/mine.py:Strict[limit=3]`: `mine.py-Strict-limit-3`."""
    name, _, settings = judge.partition("[")
    return re.sub(r"[^\w.]+", "-", f"{Path(name).name}[{settings}").strip("-.") or "judge"
