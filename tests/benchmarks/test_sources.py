import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

from benchmarks.errors import UserError
from benchmarks.published.sets import PUBLISHED
from benchmarks.sources import Source, fetch, local_path
from tests.benchmarks.conftest import COMMIT

Hub = Callable[..., None]
TOY = Source(title="Toy", hub="o/n", split="test", files=("toy/toy.csv", "toy/old.csv"), rows=(2,), licence="MIT")
GATED = replace(TOY, hub_file="toy.json", is_gated=True)
ROWS = [{"prompt": "Why?"}, {"prompt": "Who?"}]


def put(folder: Path, name: str, text: str) -> None:
    path = folder / "toy" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_the_first_file_of_the_folder_comes_before_the_hub(folder: Path) -> None:
    put(folder, "old.csv", "prompt\nOld?\nOlder?\n")
    assert fetch(TOY).origin == "toy/old.csv in EQUIPOISE_DATA"
    put(folder, "toy.csv", "prompt\nWhy?\nWho?\n")
    fetched = fetch(TOY)
    assert (list(fetched.rows), fetched.origin) == (ROWS, "toy/toy.csv in EQUIPOISE_DATA")
    assert fetched.revision == "sha256:8ac751a21902926b"


def test_a_folder_of_csv_files_is_one_table_with_their_names_as_subjects(folder: Path) -> None:
    put(folder, "maths_test.csv", "1+1?,A\n")
    put(folder, "art_test.csv", "Blue?,B\n")
    source = replace(TOY, files=("toy",), header=("question", "answer"))
    assert list(fetch(source).rows) == [
        {"question": "Blue?", "answer": "B", "subject": "art"},
        {"question": "1+1?", "answer": "A", "subject": "maths"},
    ]


@pytest.mark.usefixtures("no_folder")
def test_a_branch_of_the_hub_is_told_as_the_commit_that_it_stood_for(hub: Hub) -> None:
    hub("o/n", "test", ROWS, config="hard")
    fetched = fetch(replace(TOY, config="hard"))
    assert fetched == (ROWS, "o/n, hard, test, at main", COMMIT)


@pytest.mark.usefixtures("folder")
def test_what_the_folder_lacks_comes_from_the_hub(hub: Hub) -> None:
    hub("o/n", "test", ROWS)
    assert fetch(TOY).origin == "o/n, test, at main"


def test_another_number_of_rows_than_published_is_refused_unless_asked_for(folder: Path) -> None:
    put(folder, "toy.csv", "prompt\nWhy?\n")
    with pytest.raises(UserError) as told:
        fetch(replace(TOY, rows=(2, 1_350)))
    assert str(told.value) == (
        "Toy has 1 rows in toy/toy.csv in EQUIPOISE_DATA; it was published with 2 or 1,350. "
        "Give another revision or file, or say [rows=any]."
    )
    assert len(fetch(TOY, any_rows=True).rows) == 1


def test_a_folder_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIPOISE_DATA", "/nowhere/at/all")
    with pytest.raises(UserError) as told:
        local_path(TOY)
    assert str(told.value) == (
        "EQUIPOISE_DATA is '/nowhere/at/all', which is no folder. Set it to the folder of data files, or unset it."
    )


@pytest.mark.usefixtures("no_folder")
def test_a_hub_that_cannot_be_reached_is_told_in_one_line(hub: Hub) -> None:
    hub("o/n", "test", ConnectionError("Couldn't reach 'o/n' on the Hub (OfflineModeIsEnabled)"))
    with pytest.raises(UserError) as told:
        fetch(TOY)
    assert str(told.value) == (
        "Toy cannot be had from the hub (o/n, revision main): ConnectionError: Couldn't reach 'o/n' on the Hub "
        "(OfflineModeIsEnabled). Check the network and the revision, or put toy/toy.csv into a folder and set "
        "EQUIPOISE_DATA to it."
    )


@pytest.mark.usefixtures("no_folder")
def test_a_hub_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets.exceptions", None)
    with pytest.raises(UserError) as told:
        fetch(TOY)
    assert str(told.value) == (
        "Toy comes from the hub: run pip install datasets, or put toy/toy.csv into a folder and set EQUIPOISE_DATA "
        "to it."
    )


@pytest.mark.usefixtures("no_folder")
def test_a_gated_set_names_its_page_and_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> str:
        raise OSError("401 Client Error.\nAccess to dataset o/n is restricted.")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    with pytest.raises(UserError) as told:
        fetch(GATED)
    assert str(told.value) == (
        "Toy is gated: accept its terms (MIT) at https://huggingface.co/datasets/o/n and set HF_TOKEN, or put "
        "toy/toy.csv into a folder and set EQUIPOISE_DATA to it. The hub said: OSError: 401 Client Error. Access to "
        "dataset o/n is restricted."
    )


@pytest.mark.usefixtures("no_folder")
def test_a_single_file_of_the_hub_is_read_as_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cached = tmp_path / "snapshots" / COMMIT / "toy.json"
    cached.parent.mkdir(parents=True)
    cached.write_text(json.dumps(ROWS))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: str(cached))
    assert fetch(GATED) == (tuple(ROWS), "o/n, toy.json, at main", COMMIT)


def test_the_real_package_gives_what_a_local_table_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_folder: None
) -> None:
    pytest.importorskip("datasets", reason="the package datasets is not installed")
    del no_folder
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    table = tmp_path / "table"
    table.mkdir()
    (table / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    fetched = fetch(replace(TOY, hub=str(table)))
    assert list(fetched.rows) == ROWS


def test_every_published_set_says_where_it_is_from() -> None:
    for name, published in PUBLISHED.items():
        source = published.source
        assert source.licence
        assert source.page == (f"https://huggingface.co/datasets/{source.hub}" if source.hub else source.home), name
        assert source.page.startswith("https://")
        assert source.files
        assert source.is_gated == ("gated" in published.meaning)
