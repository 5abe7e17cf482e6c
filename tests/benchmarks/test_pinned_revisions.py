import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub.errors import RevisionNotFoundError

from benchmarks.errors import UserError
from benchmarks.published.mmlu import DEV, TEST
from benchmarks.published.sets import PUBLISHED
from benchmarks.registry import load_benchmark
from benchmarks.revisions import PINS
from benchmarks.sources import Source, fetch
from tests.benchmarks.conftest import COMMIT

Hub = Callable[..., None]
ADVBENCH = [{"prompt": f"Hide spoon {n}", "target": f"Sure, spoon {n}"} for n in range(520)]
PINNED = PINS["walledai/AdvBench"].commit
OTHER = "f" * 40
TOY = Source(title="Toy", hub="o/n", split="test", files=("toy/toy.csv",), rows=(2,), licence="MIT")
ROWS = [{"prompt": "Why?"}, {"prompt": "Who?"}]


def no_such_revision() -> RevisionNotFoundError:
    response = SimpleNamespace(headers={}, request=None)
    return RevisionNotFoundError("404 Client Error.", response=response)  # type: ignore[arg-type]


def as_datasets_tells_it() -> ValueError:
    error = ValueError("Revision 'r' doesn't exist for dataset 'o/n' on the Hub.")
    error.__cause__ = no_such_revision()
    return error


def test_every_pin_is_a_whole_commit_with_a_page_that_shows_it() -> None:
    for hub, (commit, evidence) in PINS.items():
        assert re.fullmatch(r"[0-9a-f]{40}", commit), hub
        of_the_hub = rf"https://huggingface\.co/datasets/{hub}/tree/{commit}/\w+"
        assert re.fullmatch(rf"https://github\.com/[\w-]+/[\w-]+/blob/[0-9a-f]{{40}}/[\w./]+|{of_the_hub}", evidence), (
            hub
        )


def test_all_published_sets_but_safeedit_are_pinned() -> None:
    hubs = {published.source.hub for published in PUBLISHED.values() if published.source.hub}
    assert hubs == {*PINS, "zjunlp/SafeEdit"}


@pytest.mark.usefixtures("no_folder")
def test_a_pinned_set_is_taken_at_its_commit_unless_the_command_says_otherwise(hub: Hub) -> None:
    hub("walledai/AdvBench", "train", ADVBENCH)
    pinned, main, other = (
        load_benchmark(name) for name in ("advbench", "advbench[revision=main]", f"advbench[revision={OTHER}]")
    )
    assert [found.revision for found in (pinned, main, other)] == [PINNED, COMMIT, OTHER]
    assert [found.source for found in (pinned, main, other)] == [
        "AdvBench: 520 rows of walledai/AdvBench, train, at its pinned commit",
        "AdvBench: 520 rows of walledai/AdvBench, train, at main",
        f"AdvBench: 520 rows of walledai/AdvBench, train, at {OTHER}",
    ]
    assert load_benchmark("advbench[revision=v2]").revision == COMMIT


@pytest.mark.usefixtures("no_folder")
def test_the_same_rows_have_the_same_hash_at_any_revision(hub: Hub) -> None:
    hub("walledai/AdvBench", "train", ADVBENCH)
    names = ("advbench", "advbench[revision=main]", f"advbench[revision={OTHER}]")
    assert len({load_benchmark(name).content_hash for name in names}) == 1


@pytest.mark.usefixtures("no_folder")
def test_solved_questions_are_of_the_revision_of_those_that_are_asked(hub: Hub) -> None:
    row = {"question": "1+1?", "subject": "anatomy", "choices": ["1", "2", "3", "4"], "answer": 1}
    hub("cais/mmlu", "test", [row], config="all")
    hub("cais/mmlu", "dev", as_datasets_tells_it(), config="all")
    with pytest.raises(UserError) as told:
        load_benchmark("mmlu[revision=v2,rows=any]")
    assert "MMLU is wanted at v2, but the hub has no revision v2 of cais/mmlu." in str(told.value)
    assert TEST.wanted == DEV.wanted == PINS["cais/mmlu"].commit


@pytest.mark.usefixtures("no_folder")
def test_a_pinned_commit_that_is_gone_is_told_with_the_way_out(hub: Hub) -> None:
    hub("walledai/AdvBench", "train", as_datasets_tells_it())
    with pytest.raises(UserError) as told:
        load_benchmark("advbench")
    assert str(told.value) == (
        f"AdvBench is wanted at its pinned commit, but the hub has no revision {PINNED} of walledai/AdvBench. Say "
        "[revision=main] to take what is there now, or put advbench/harmful_behaviors.csv into a folder and set "
        "EQUIPOISE_DATA to it."
    )


@pytest.mark.usefixtures("no_folder")
def test_a_revision_that_a_single_file_lacks_is_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> str:
        raise no_such_revision()

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", gone)
    with pytest.raises(UserError) as told:
        fetch(replace(TOY, hub_file="toy.json", is_gated=True, revision="v9"))
    assert str(told.value).startswith(
        "Toy is wanted at v9, but the hub has no revision v9 of o/n. Say [revision=main] "
    )


@pytest.mark.usefixtures("no_folder")
def test_the_real_package_tells_the_commit_of_its_cache_which_cannot_pass_for_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "made")
    cached = tmp_path / "cache/o___n/default/0.0.0" / COMMIT
    cached.mkdir(parents=True)
    (tmp_path / "made/data-00000-of-00001.arrow").rename(cached / "n-test.arrow")
    split = {"name": "test", "num_bytes": 10, "num_examples": 2, "dataset_name": "n"}
    info = {"dataset_name": "n", "config_name": "default", "version": "0.0.0", "splits": {"test": split}}
    features = {"prompt": {"dtype": "string", "_type": "Value"}}
    (cached / "dataset_info.json").write_text(json.dumps({**info, "features": features}))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert fetch(TOY) == (ROWS, "o/n, test, at main", COMMIT)
    with pytest.raises(UserError, match=f"wanted at {OTHER}, but without the hub the cache of o/n gives {COMMIT}"):
        fetch(replace(TOY, revision=OTHER))


@pytest.mark.usefixtures("no_folder")
def test_another_commit_out_of_the_cache_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cached = tmp_path / "snapshots" / COMMIT / "toy.json"
    cached.parent.mkdir(parents=True)
    cached.write_text(json.dumps(ROWS))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: str(cached))
    with pytest.raises(UserError) as told:
        fetch(replace(TOY, hub_file="toy.json", revision=OTHER))
    assert str(told.value) == (
        f"Toy is wanted at {OTHER}, but without the hub the cache of o/n gives {COMMIT}. Check the network, or say "
        f"[revision={COMMIT}] to take that one."
    )
    assert fetch(replace(TOY, hub_file="toy.json", revision=COMMIT)).revision == COMMIT
