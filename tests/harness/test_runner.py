import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness import ledger
from tests.harness.fakes import FakeModel, FittedPrefix, Prefix

Run = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def reply_files(folder: Path) -> dict[str, list[str]]:
    return {
        str(path.relative_to(folder)): sorted(ledger.read(path).records)
        for path in sorted(folder.glob("replies/**/*.jsonl"))
    }


def test_a_run_leaves_replies_scores_artefacts_results_and_pages(run_fakes: Run, folder: Path) -> None:
    assert run_fakes("--seed", "0,1") == 0
    assert {path.relative_to(folder / "replies").as_posix() for path in folder.glob("replies/**/*.jsonl")} == {
        f"{arm}/{benchmark}.jsonl"
        for arm in ("default/seed-0", "prefix/seed-0", "prefix/seed-1")
        for benchmark in ("bad", "good", "facts")
    }
    assert len(ledger.read(folder / "scores/prefix/seed-1/bad.jsonl").records) == 10
    assert not (folder / "scores/prefix/seed-1/facts.jsonl").exists()
    assert (folder / "artefacts/prefix/seed-1/fit.json").exists()
    for name in ("run.json", "results.json", "costs.json", "report/report.md", "report/report.html"):
        assert (folder / name).stat().st_size > 100, name


def test_an_arm_that_does_not_depend_on_the_seed_answers_once(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    assert run_fakes("--seed", "3,4", "--methods", "default") == 0
    assert [path.name for path in (folder / "replies/default").iterdir()] == ["seed-3"]
    assert sum(len(batch) for batch in model.batches) == 16


def test_what_a_method_warns_of_its_fit_is_told_at_once_and_again_at_the_end(
    run_fakes: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FittedPrefix, "diagnostics", lambda _: {"warnings": ["all layers tie."], "losses": [1, 2]})
    assert run_fakes("--seed", "0,1", "--benchmarks", "facts") == 0
    captured = capfd.readouterr()
    rose = "its loss rose while it was fitted, from 1 to 2; a smaller learning rate may help."
    told = [line for line in captured.err.splitlines() if line.startswith("warning: ")]
    assert told == [f"warning: prefix, seed {seed}: {text}" for seed in (0, 1) for text in ("all layers tie.", rose)]
    assert "Warning: prefix: all layers tie.\n" in captured.out
    written = json.loads((folder / "results.json").read_text())["warnings"]
    assert written == [
        "prefix: all layers tie.",
        f"prefix: {rose}",
        "prefix: each of its 8 replies is that of default, word for word.",
    ]


def test_longest_prompts_come_first(run_fakes: Run, model: FakeModel) -> None:
    run_fakes("--methods", "default", "--benchmarks", "bad")
    assert model.batches[0] == ("harmful-9", "harmful-8", "harmful-7", "harmful-6")


def test_the_unmodified_model_scores_the_replies_of_every_arm(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    run_fakes("--benchmarks", "bad")
    assert [prefix for prefix, _ in model.scored] == [""] * 20
    scores = [ledger.read(folder / f"scores/{arm}/seed-0/bad.jsonl").records for arm in ("default", "prefix")]
    assert scores[0]["harmful-9"]["surprise"] == pytest.approx(0.5 + ord("I") / 1000)
    assert scores[1]["harmful-9"]["surprise"] == pytest.approx(0.5 + ord("S") / 1000)


def test_surprise_is_taken_over_the_first_256_tokens(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    row = np.concatenate([np.full(200, -1.0), np.full(56, -2.0), np.full(100, -9.0)])
    model.log_probabilities = lambda prompts, _: [[row] for _ in prompts]  # type: ignore[method-assign]
    run_fakes("--methods", "default", "--benchmarks", "bad")
    record = ledger.read(folder / "scores/default/seed-0/bad.jsonl").records["harmful-9"]
    assert record["surprise"] == pytest.approx((200 + 2 * 56) / 256)


def test_a_run_that_was_stopped_makes_no_finished_reply_again(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    model.dies_at_call = 5
    assert run_fakes() == 130
    saved = {name: len(ids) for name, ids in reply_files(folder).items()}
    assert saved == {"replies/default/seed-0/bad.jsonl": 10, "replies/default/seed-0/good.jsonl": 4}
    model.dies_at_call = 0
    model.batches.clear()
    assert run_fakes() == 0
    assert model.batches[0] == ("benign-1", "benign-0")
    assert sum(len(batch) for batch in model.batches) == 2 + 16


def test_a_resumed_run_gives_the_same_results_to_the_byte(run_fakes: Run, model: FakeModel, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run_fakes("--output", str(whole), "--seed", "0,1") == 0
    for call in (3, 2, 5):
        model.batches.clear()
        model.dies_at_call = call
        assert run_fakes("--output", str(stopped), "--seed", "0,1") == 130
    model.dies_at_call = 0
    assert run_fakes("--output", str(stopped), "--seed", "0,1") == 0
    assert (stopped / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert len(json.loads((stopped / "run.json").read_text())["resumed"]) == 3


def test_a_finished_run_is_not_fitted_or_answered_again(run_fakes: Run, model: FakeModel) -> None:
    run_fakes()
    model.batches.clear()
    model.scored.clear()
    assert run_fakes() == 0
    assert (model.batches, model.scored, Prefix.fits) == ([], [], [0])


def test_an_edited_artefact_is_fitted_again(run_fakes: Run, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_fakes()
    (folder / "artefacts/prefix/seed-0/prefix.json").write_text('"edited"')
    assert run_fakes() == 0
    assert Prefix.fits == [0, 0]
    expected = f"warning: {folder}/artefacts/prefix/seed-0 is incomplete or was edited; it is fitted again."
    assert expected in capfd.readouterr().err


@pytest.mark.parametrize("spoil", [lambda line: line[: len(line) // 2], lambda line: line.replace(b"sorry", b"happy")])
def test_a_torn_or_edited_line_is_named_and_made_again(
    spoil: Callable[[bytes], bytes], run_fakes: Run, folder: Path, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    run_fakes()
    path = folder / "replies/prefix/seed-0/bad.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], spoil(lines[1]), *lines[2:]]) + b"\n")
    results = (folder / "results.json").read_bytes()
    model.batches.clear()
    capfd.readouterr()
    assert run_fakes() == 0
    assert model.batches == [("harmful-8",)]
    warning = f"warning: {path}, line 2: torn or edited; the line is dropped, and the next run makes it again."
    assert capfd.readouterr().err.count(warning) == 1
    assert (folder / "results.json").read_bytes() == results


def test_out_of_memory_halves_the_batch_and_keeps_the_smaller_size(
    run_fakes: Run, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    model.largest_batch = 3
    assert run_fakes("--methods", "default", "--batch-size", "auto", "--benchmarks", "bad,good") == 0
    assert [len(batch) for batch in model.batches] == [2, 2, 2, 2, 2, 2, 2, 2]
    notes = [line for line in capfd.readouterr().err.splitlines() if "memory" in line]
    assert notes == [f"warning: out of memory; default goes on with batches of {size}." for size in (16, 8, 4, 2)]


def test_a_single_prompt_too_large_for_memory_fails_the_arm(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    model.largest_batch = 0
    assert run_fakes("--methods", "default") == 1
    assert "CUDA out of memory" in (folder / "failures/default.txt").read_text()


def test_a_failing_arm_is_recorded_and_the_others_go_on(
    run_fakes: Run, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--methods", "broken,prefix") == 1
    record = (folder / "failures/broken.txt").read_text()
    assert record.startswith("ZeroDivisionError: no neuron left\n\nTraceback")
    expected = (
        f"error: broken failed: ZeroDivisionError: no neuron left. The traceback is in {folder}/failures/broken.txt."
    )
    assert expected in capfd.readouterr().err
    results = json.loads((folder / "results.json").read_text())
    assert [arm["failure"] for arm in results["arms"]] == [None, "ZeroDivisionError: no neuron left", None]
    assert set(results["results"]["bad"]) == {"default", "prefix"}


def test_an_arm_that_recovers_loses_its_failure(run_fakes: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Prefix, "fit", lambda *_: 1 / 0)
        assert run_fakes() == 1
    assert run_fakes() == 0
    assert not (folder / "failures/prefix.txt").exists()


def test_nan_in_a_fit_fails_the_arm_at_its_step(run_fakes: Run, folder: Path) -> None:
    assert run_fakes("--methods", "nan") == 1
    first_line = (folder / "failures/nan.txt").read_text().splitlines()[0]
    assert first_line == "NotFiniteError: The fit of 'nan' gave nan at diagnostics.loss[1]."
    assert not (folder / "artefacts/nan/seed-0").exists()


def test_nan_in_an_artefact_fails_the_arm(run_fakes: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from safetensors.torch import save_file

    from tests.harness.fakes import FittedPrefix

    monkeypatch.setattr(
        FittedPrefix, "save", lambda _, where: save_file({"v": torch.tensor([float("nan")])}, where / "v.safetensors")
    )
    assert run_fakes() == 1
    first_line = (folder / "failures/prefix.txt").read_text().splitlines()[0]
    assert first_line == "NotFiniteError: The fit of 'prefix' gave NaN in tensor 'v' of v.safetensors."


@pytest.mark.parametrize("benchmark", ["bad", "facts"])
def test_nan_in_log_probabilities_fails_the_arm(benchmark: str, run_fakes: Run, folder: Path, model: FakeModel) -> None:
    model.log_probability = float("nan")
    assert run_fakes("--methods", "default", "--benchmarks", benchmark) == 1
    first_line = (folder / "failures/default.txt").read_text().splitlines()[0]
    assert first_line.startswith("NotFiniteError: A log-probability of the reply to '")
    assert first_line.endswith("' is nan in float32. The weights are damaged, or the arm broke the model.")


def test_a_method_that_answers_other_questions_fails(run_fakes: Run, folder: Path, model: FakeModel) -> None:
    whole = FakeModel.generate
    model.generate = lambda prompts, settings: whole(model, prompts, settings)[::-1]  # type: ignore[method-assign]
    assert run_fakes("--methods", "default") == 1
    first_line = (folder / "failures/default.txt").read_text().splitlines()[0]
    assert first_line == "ValueError: 4 prompts were answered with 4 replies, or in another order"


def test_what_a_method_needs_is_checked_before_any_work(
    run_fakes: Run, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness import registry
    from methods.base import Requirements
    from tests.harness.fakes import FakeEngine

    able = FakeEngine(FakeModel(), "able", Requirements(gradients=True, weights=True))
    monkeypatch.setitem(vars(registry)["ENGINES"], "able", lambda: able)
    monkeypatch.delitem(vars(registry)["ENGINES"], "transformers")
    assert run_fakes("--methods", "prefix,demanding") == 2
    assert capfd.readouterr().err == (
        "equipoise: Method 'demanding' needs gradients and weights, which engine 'fake' does not offer. "
        "Use --engine able.\n"
    )
    assert not folder.exists()


def test_an_arm_that_cannot_be_fitted_to_this_model_is_refused_before_anything_is_written(
    run_fakes: Run, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--methods", "prefix,picky") == 2
    assert capfd.readouterr().err.endswith("equipoise: 'picky' does not like 'fake'.\n")
    assert not (folder / "run.json").exists()
    assert not (folder / "replies").exists()
