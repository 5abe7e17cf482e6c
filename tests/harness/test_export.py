import errno
import json
import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from safetensors import SafetensorError

import harness.export.command
import methods.registry
from benchmarks.errors import UserError
from harness.export.new_folder import check_space, new_folder
from harness.fitting import read_facts
from harness.storage import StorageError
from tests.harness.fakes import FittedPrefix, Prefix

Equipoise = Callable[..., int]
METHODS = "default,prefix,twice=prefix[strength=2],half=edit+prefix,broken"


class FittedEdit(FittedPrefix):
    def fold(self, weights: dict[str, Any], blocks: tuple[()]) -> dict[str, Any]:  # noqa: ARG002
        return {}


class Edit(Prefix):
    """An edit of weights, as far as its structure tells."""

    name: ClassVar[str] = "edit"

    @staticmethod
    def load(folder: Path) -> FittedEdit:
        return FittedEdit(json.loads((folder / "prefix.json").read_text()))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that wants the run leaves it for the others."""
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def run(run_fakes: Equipoise, kept: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A finished run with two seeds, one of whose arms failed."""
    vars(methods.registry)["METHODS"]["edit"] = Edit
    if not kept.exists():
        assert run_fakes("--methods", METHODS, "--seed", "3,4", "--output", str(kept)) == 1
        capfd.readouterr()
    shutil.copytree(kept, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def error_of(equipoise: Equipoise, run: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `equipoise export` of the run says where it must fail; nothing may be left on the disk."""

    def error(*arguments: str) -> str:
        before = sorted(run.parent.rglob("*"))
        output = () if "--output" in arguments else ("--output", str(run.parent / "out"))
        assert equipoise("export", str(run), *arguments, *output) == 2
        assert sorted(run.parent.rglob("*")) == before
        told = capfd.readouterr().err
        assert told.startswith("equipoise: ")
        assert told.count("\n") == 1
        return told.removeprefix("equipoise: ").rstrip("\n")

    return error


def test_an_arm_that_is_no_edit_of_weights_is_exported_as_its_artefact(
    equipoise: Equipoise, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "out"
    assert equipoise("export", str(run), "--arm", "twice", "--output", str(output)) == 0
    assert capfd.readouterr().out == (
        f"{output}  artefact of 'twice', seed 3: no checkpoint, applied as README.md says\n"
    )
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*")) == [
        "README.md", "artefact", "artefact/fit.json", "artefact/prefix.json", "equipoise.json",
    ]  # fmt: skip
    assert (output / "artefact" / "prefix.json").read_text() == '"Seed 3. Seed 3. "'
    facts = json.loads((output / "equipoise.json").read_text())
    known = read_facts(output / "artefact")
    assert known is not None
    assert (facts["arm"], facts["method"], facts["seed"], facts["settings"]) == ("twice", "prefix", 3, {"strength": 2})
    assert facts["artefact"] == known["hash"]


def test_the_card_says_that_it_is_no_checkpoint_and_what_was_measured(
    equipoise: Equipoise, run: Path, tmp_path: Path
) -> None:
    equipoise("export", str(run), "--arm", "twice", "--output", str(tmp_path / "out"))
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: unknown\ntags:\n- equipoise\n- safety-alignment\n- prefix\n---\n\n")
    assert "**This is no checkpoint.** It holds what prefix learnt on fake" in card
    assert '.load(Path("out") / "artefact")' in card
    assert "- strength: 2\n" in card
    (row,) = [line for line in card.splitlines() if "Refusals (%) ↑" in line]
    prompts = json.loads((run / "run.json").read_text())["protocol"]["benchmarks"]["bad"]["prompts"]
    benchmark, number, default, arm, counted = (cell.strip() for cell in row.strip("|").split("|"))
    assert (benchmark, number, counted) == ("bad", "Refusals (%) ↑", str(prompts))
    assert re.fullmatch(r"100\.0 \(\d\d\.\d-100\.0\)", arm)
    assert default == arm
    assert "over seeds 3, 4 of the run" in card


@pytest.mark.parametrize(
    ("name", "base", "head"),
    [
        ("org/name", "org/name", "---\nbase_model: org/name\nlicense: unknown\n"),
        ("/home/somebody/models/name", "name", "---\nlicense: unknown\n"),
        ("../models/name", "name", "---\nlicense: unknown\n"),
        ("embedded", "embedded", "---\nlicense: apache-2.0\n"),
    ],
)
def test_the_card_names_a_hub_model_in_full_and_a_folder_without_its_path(
    equipoise: Equipoise, run: Path, tmp_path: Path, name: str, base: str, head: str
) -> None:
    header = json.loads((run / "run.json").read_text())
    header["protocol"]["model"]["name"] = name
    (run / "run.json").write_text(json.dumps(header))
    equipoise("export", str(run), "--arm", "twice", "--output", str(tmp_path / "out"))
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith(head)
    assert f"\n# {base} with prefix\n" in card
    assert name == base or name not in card


def test_a_seed_can_be_chosen(equipoise: Equipoise, run: Path, tmp_path: Path) -> None:
    equipoise("export", str(run), "--arm", "twice", "--seed", "4", "--output", str(tmp_path / "out"))
    assert (tmp_path / "out" / "artefact" / "prefix.json").read_text() == '"Seed 4. Seed 4. "'


def test_an_empty_folder_is_filled(equipoise: Equipoise, run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert equipoise("export", str(run), "--arm", "twice", "--output", str(tmp_path / "out")) == 0
    assert (tmp_path / "out" / "README.md").exists()


def test_a_method_names_its_arm_where_no_other_has_it(
    equipoise: Equipoise, run_fakes: Equipoise, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_fakes("--methods", "long-label=prefix")
    capfd.readouterr()
    assert equipoise("export", str(tmp_path / "run"), "--arm", "prefix", "--output", str(tmp_path / "out")) == 0
    assert "artefact of 'long-label', seed 0" in capfd.readouterr().out


def test_a_chain_of_both_kinds_is_refused_or_exported_as_its_artefact(
    equipoise: Equipoise, error_of: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    assert error_of("--arm", "half") == (
        "Arm 'half' cannot be a checkpoint: 'prefix' of 'edit+prefix' acts while the model runs and is no edit of "
        "weights. Give --artefact to export what was fitted."
    )
    assert equipoise("export", str(run), "--arm", "half", "--artefact", "--output", str(tmp_path / "out")) == 0
    assert (tmp_path / "out" / "artefact" / "2-prefix" / "prefix.json").exists()


def test_an_unknown_arm_gets_the_nearest_one(error_of: Callable[..., str]) -> None:
    assert error_of("--arm", "twise") == (
        "No arm named 'twise'. Did you mean 'twice'? Available: broken, default, edit+prefix, half, prefix, twice."
    )


def test_a_failed_arm_is_refused_with_its_reason(error_of: Callable[..., str]) -> None:
    assert error_of("--arm", "broken") == (
        "Arm 'broken' failed in this run and cannot be exported: ZeroDivisionError: no neuron left."
    )


def test_a_seed_that_was_not_fitted_is_refused(error_of: Callable[..., str]) -> None:
    assert error_of("--arm", "twice", "--seed", "5") == "No seed of arm 'twice' named '5'. Available: 3, 4."


def test_a_changed_artefact_is_refused(error_of: Callable[..., str], run: Path) -> None:
    artefact = run / "artefacts" / "twice" / "seed-3"
    (artefact / "prefix.json").write_text('"Something else."')
    assert error_of("--arm", "twice") == (
        f"Arm 'twice' has no artefact of seed 3 as a fit writes it: the run is not that far, or files in '{artefact}' "
        "were changed. Run the same command again to fit it."
    )


def test_a_folder_that_is_no_run_is_refused(
    equipoise: Equipoise, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("export", str(tmp_path), "--arm", "a", "--output", str(tmp_path / "out")) == 2
    assert capfd.readouterr().err.startswith(f"equipoise: '{tmp_path}' is no run folder: ")


def test_nothing_is_written_over(error_of: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert error_of("--arm", "twice", "--output", str(tmp_path / "full")) == (
        f"'{tmp_path / 'full'}' is not empty, and nothing is written over. Choose another --output."
    )
    file = tmp_path / "full" / "mine.txt"
    assert error_of("--arm", "twice", "--output", str(file)) == f"'{file}' is there already. Choose another --output."


def test_a_dtype_is_for_checkpoints_and_must_be_one(error_of: Callable[..., str]) -> None:
    assert error_of("--arm", "default", "--dtype", "bfloat") == (
        "No dtype named 'bfloat'. Did you mean 'bfloat16'? Available: bfloat16, float16, float32."
    )
    assert error_of("--arm", "twice", "--dtype", "bfloat16") == (
        "--dtype is for checkpoints, and 'twice' is exported as its artefact. Leave it out."
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_a_method_from_outside_must_be_the_runs_version(
    error_of: Callable[..., str], run: Path, is_known: bool
) -> None:
    header = json.loads((run / "run.json").read_text())
    header["protocol"]["arms"]["twice"]["code"] = {"prefix": "0" * 64}
    (run / "run.json").write_text(json.dumps(header))
    if is_known:
        assert error_of("--arm", "twice") == (
            "Method 'prefix' of arm 'twice' is another version than in the run. "
            "Bring back the old one, or give --artefact, which needs no method."
        )
    else:
        del vars(methods.registry)["METHODS"][Prefix.name]  # the fixture of the fakes puts all back
        assert error_of("--arm", "twice") == (
            "Method 'prefix' of arm 'twice' comes from outside and is not installed here by that name. "
            "Install it with an entry point, or give --artefact, which needs no method."
        )


def test_an_artefact_is_exported_without_its_method(equipoise: Equipoise, run: Path, tmp_path: Path) -> None:
    del vars(methods.registry)["METHODS"][Prefix.name]  # the fixture of the fakes puts all back
    assert equipoise("export", str(run), "--arm", "twice", "--artefact", "--output", str(tmp_path / "out")) == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["python", "safetensors"],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    error_of: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(harness.export.command, "_copy", fail)
    assert error_of("--arm", "twice").startswith(f"Cannot write to '{tmp_path / 'out'}': the disk is full. ")


def test_too_little_space_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(3_000_000_000))
    with pytest.raises(StorageError) as caught:
        check_space(tmp_path / "part", 16_060_522_496)
    assert str(caught.value) == (
        f"The checkpoint needs 16.1 GB, and the disk of '{tmp_path}' has 3.0 GB left. "
        "Free some, choose another --output, or a smaller --dtype."
    )
    check_space(tmp_path / "part", 3_000_000_000)


@pytest.mark.parametrize("error", [UserError("no"), KeyboardInterrupt(), ZeroDivisionError()])
def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
        raise error
    assert not list(tmp_path.iterdir())
    with new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/a"]
