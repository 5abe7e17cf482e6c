"""Where published rows come from: the folder that EQUIPOISE_DATA names, or the Hugging Face hub."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.errors import UserError, describe
from benchmarks.revisions import MAIN, PINS
from benchmarks.tables import Row, read_rows

FOLDER = "EQUIPOISE_DATA"
"""Environment variable with the folder that is looked into before the hub is."""


@dataclass(frozen=True, slots=True)
class Source:
    """One split of a published set."""

    title: str
    hub: str
    """Owner and name on the hub; empty where the hub has no such set."""
    split: str
    files: tuple[str, ...]
    """In the folder: the first that is there counts."""
    rows: tuple[int, ...]
    """How many rows it was published with; several where the hub and the authors' file differ."""
    licence: str
    config: str | None = None
    """The hub's name for one of several tables."""
    hub_file: str | None = None
    """Of sets whose files do not share columns, so that each is read by itself."""
    header: tuple[str, ...] = ()
    """Of CSV files without a header line."""
    is_gated: bool = False
    home: str = ""
    """Where the files are to be had of a set that is not on the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; None: the commit that is pinned for it, or else `main`."""

    @property
    def wanted(self) -> str:
        """The branch, tag or commit that the hub is asked for."""
        return self.revision or (PINS[self.hub].commit if self.hub in PINS else MAIN)

    @property
    def version(self) -> str:
        """The same in words: which rows are fixed, and which are those of the day."""
        is_pinned = self.hub in PINS and self.wanted == PINS[self.hub].commit
        return "its pinned commit" if is_pinned else self.wanted

    @property
    def page(self) -> str:
        """Where the licence is read, and accepted if need be."""
        return f"https://huggingface.co/datasets/{self.hub}" if self.hub else self.home


class Fetched(NamedTuple):
    """The rows of a source, and where they are from."""

    rows: Sequence[Row]
    origin: str
    revision: str
    """Commit on the hub, or the SHA-256 of the local bytes."""


def fetch(source: Source, *, any_rows: bool = False) -> Fetched:
    """All rows: of the local file if there is one, else of the hub.

    Raises:
        UserError: If they cannot be had, or are not as many as were published and `any_rows` is false.
    """
    path = local_path(source)
    fetched = _from_folder(source, path) if path else _from_hub(source)
    if len(fetched.rows) not in source.rows and not any_rows:
        published = " or ".join(f"{count:,}" for count in source.rows)
        raise UserError(
            f"{source.title} has {len(fetched.rows):,} rows in {fetched.origin}; it was published with {published}. "
            "Give another revision or file, or say [rows=any]."
        )
    return fetched


def local_path(source: Source) -> Path | None:
    """The file, or the folder of files, that is there.

    Raises:
        UserError: If the folder that EQUIPOISE_DATA names does not exist.
    """
    return next((path for path in map(in_folder, source.files) if path), None)


def in_folder(file: str) -> Path | None:
    """A file, or a folder of files, of the folder that EQUIPOISE_DATA names, if it is there.

    Raises:
        UserError: If the folder that EQUIPOISE_DATA names does not exist.
    """
    named = os.environ.get(FOLDER)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise UserError(f"{FOLDER} is '{named}', which is no folder. Set it to the folder of data files, or unset it.")
    return folder / file if (folder / file).exists() else None


def _from_folder(source: Source, path: Path) -> Fetched:
    """The rows of a file; of a folder, those of all CSV files, each with its name without `_{split}` as `subject`."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    rows: list[Row] = []
    for file in files:
        digest.update(file.read_bytes())
        found = read_rows(file, source.header)
        subject = {"subject": file.stem.removesuffix(f"_{source.split}")} if path.is_dir() else {}
        rows += [{**row, **subject} for row in found]
    told = path.relative_to(Path(os.environ[FOLDER]).expanduser())
    return Fetched(rows, f"{told} in {FOLDER}", f"sha256:{digest.hexdigest()[:16]}")


def _from_hub(source: Source) -> Fetched:
    if not source.hub:
        raise UserError(f"{source.title} is not on the hub. Take it from {source.page} and {_folder_hint(source)}.")
    if source.hub_file:
        return _asked(source, hub_file, (OSError, ValueError))
    try:
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UserError(
            f"{source.title} comes from the hub: run pip install datasets, or {_folder_hint(source)}."
        ) from error
    return _asked(source, hub_table, (OSError, ValueError, DatasetsError))


def _asked(source: Source, ask: Callable[[Source], Fetched], failures: tuple[type[Exception], ...]) -> Fetched:
    try:
        return ask(source)
    except failures as error:
        raise _unavailable(source, error) from error


def hub_table(source: Source) -> Fetched:
    """What `datasets` gives for the source."""
    from datasets import load_dataset

    table = load_dataset(source.hub, source.config, split=source.split, revision=source.wanted)
    # Its cache has a folder a commit; `info.download_checksums`, which would tell it too, is no longer filled.
    commit = _commit(" ".join(file["filename"] for file in table.cache_files), source)
    parts = [source.hub, source.config, source.split, f"at {source.version}"]
    return Fetched(list(table), ", ".join(part for part in parts if part), commit)


def hub_file(source: Source) -> Fetched:
    """One file of the hub's, read as a table."""
    from huggingface_hub import hf_hub_download

    name = source.hub_file or ""
    path = hf_hub_download(source.hub, name, repo_type="dataset", revision=source.wanted)
    commit = _commit(path, source)
    return Fetched(read_rows(Path(path)), f"{source.hub}, {name}, at {source.version}", commit)


def _commit(place: str, source: Source) -> str:
    """The commit that a branch or tag stood for, where the path in the cache tells it.

    Raises:
        UserError: If it is another one than was asked for: offline, `datasets` takes whatever its cache has of a set.
    """
    found = re.search(r"[/\\]([0-9a-f]{40})[/\\]", place)
    commit = found[1] if found else source.wanted
    if re.fullmatch(r"[0-9a-f]{40}", source.wanted) and commit != source.wanted:
        raise UserError(
            f"{source.title} is wanted at {source.wanted}, but without the hub the cache of {source.hub} gives "
            f"{commit}. Check the network, or say [revision={commit}] to take that one."
        )
    return commit


def _is_gone(error: Exception) -> bool:
    """Whether the hub has no such revision; `datasets` tells it in an error of its own, with the hub's as its cause."""
    from huggingface_hub.errors import RevisionNotFoundError

    return isinstance(error, RevisionNotFoundError) or isinstance(error.__cause__, RevisionNotFoundError)


def _unavailable(source: Source, error: Exception) -> UserError:
    """A gated set is nearly always missing for want of a token, whatever the hub says."""
    reason = describe(error).rstrip(".")
    if _is_gone(error):
        return UserError(
            f"{source.title} is wanted at {source.version}, but the hub has no revision {source.wanted} of "
            f"{source.hub}. Say [revision=main] to take what is there now, or {_folder_hint(source)}."
        )
    if source.is_gated:
        return UserError(
            f"{source.title} is gated: accept its terms ({source.licence}) at {source.page} and set HF_TOKEN, "
            f"or {_folder_hint(source)}. The hub said: {reason}."
        )
    return UserError(
        f"{source.title} cannot be had from the hub ({source.hub}, revision {source.wanted}): {reason}. "
        f"Check the network and the revision, or {_folder_hint(source)}."
    )


def _folder_hint(source: Source) -> str:
    return f"put {source.files[0]} into a folder and set {FOLDER} to it"
