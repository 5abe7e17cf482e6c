import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
import torch
from transformers import LlamaConfig

from benchmarks import registry as benchmark_registry
from harness import doctor, memory
from harness.base import ModelSpec
from harness.conformance.families import FAMILIES, SMALL, tiny
from harness.findings import Finding, Level, table
from harness.memory import Batch, estimate, parameters
from harness.transformers_engine import TransformersEngine
from methods.base import GenerationSettings
from methods.registry import METHODS
from tests.engine.chat_templates import GEMMA, LLAMA, PHI3, Shape, tokenizer_of
from tests.harness.fakes import FakeModel

Run = Callable[..., int]
BUILT_IN = tuple(METHODS)
"""Before the fakes stand beside them."""
FAULTY = Path(__file__).parent / "faulty_plugins.py"


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def examined(
    equipoise: Run, model: FakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[str]]]:
    """`equipoise doctor` on the embedded model and the fakes' benchmarks; gives exit code and lines."""
    del model

    def look(*arguments: str) -> tuple[int, list[str]]:
        standard = {
            "--model": "embedded",
            "--methods": "prefix",
            "--benchmarks": "bad,good",
            "--data": "fakes",
            "--judge": "keyword",
            "--device": "cpu",
            "--output": str(tmp_path / "run"),
        }
        flags = [part for name, value in standard.items() if name not in arguments for part in (name, value)]
        code = equipoise("doctor", *flags, *arguments)
        return code, [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]

    return look


def saved(folder: Path, shape: Shape) -> str:
    """A tiny model with such a template, on disk."""
    words = tokenizer_of(shape)
    FAMILIES["llama"](len(words), SMALL).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def about(lines: list[str], subject: str) -> list[str]:
    return [line for line in lines if line.split()[1:2] == [subject]]


def test_a_run_that_could_start_is_told_line_by_line(examined: Callable[..., tuple[int, list[str]]]) -> None:
    code, lines = examined()
    assert code == 0
    assert lines[:6] == [
        "ok data fakes: 1 train and 1 dev prompts",
        "ok benchmark bad: 10 prompts",
        "ok benchmark good: 6 prompts",
        "ok judge keyword",
        "ok engine transformers",
        "ok model embedded: llama",
    ]
    assert lines[6] == "ok template has system turns; before the user's words: '<|begin|><|user|>'"
    assert lines[7].startswith("ok memory about 10.89 MiB weights, ")
    assert lines[8].startswith("ok disk at most 0.19 MiB for 32 replies; ")
    assert lines[9:] == ["", "All is there."]


def test_every_problem_is_told_at_once(examined: Callable[..., tuple[int, list[str]]], tmp_path: Path) -> None:
    code, lines = examined(
        "--model", str(tmp_path), "--benchmarks", "bed,good", "--judge", "keywort", "--engine", "transformer"
    )
    assert code == 2
    assert [line.split()[1] for line in lines if line.startswith("problem")] == ["benchmark", "judge", "engine"]
    assert lines[-1] == "3 problems."
    code, lines = examined("--model", str(tmp_path), "--methods", "prefix[strength=10]")
    assert code == 2
    assert [line.split()[1] for line in lines if line.startswith("problem")] == ["methods", "model"]
    assert about(lines, "model") == [
        f"problem model Model folder '{tmp_path}' has no config.json; it is empty. "
        "Give a folder that save_pretrained has written."
    ]


def test_a_flag_that_run_does_not_know_is_refused(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("doctor", "--modell", "embedded") == 2
    assert "No such option: --modell" in capfd.readouterr().err


def test_a_configuration_that_makes_no_network_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    folder = Path(saved(tmp_path / "model", PHI3))
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "num_attention_heads": 0}))
    code, lines = examined("--model", str(folder))
    assert code == 2
    assert about(lines, "model") == [
        f"problem model The configuration of model '{folder}' cannot be read: ZeroDivisionError: integer modulo by "
        "zero. Copy or download it again."
    ]


def test_what_a_template_adds_is_told(examined: Callable[..., tuple[int, list[str]]], tmp_path: Path) -> None:
    _, lines = examined("--model", saved(tmp_path / "llama", LLAMA), "--date", "2025-01-02")
    (line,) = about(lines, "template")
    assert line.startswith(
        "ok template has system turns; writes one of its own where none is given: --system-prompt sets it; "
        "tells the model a date, pinned to 2025-01-02; before the user's words: '<|begin|><|start|>system<|stop|>"
    )
    assert "Today: 02 Jan 2025" in line


def test_a_system_prompt_for_a_template_without_one_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    code, lines = examined("--model", saved(tmp_path / "gemma", GEMMA), "--system-prompt", "Be kind.")
    assert code == 2
    assert about(lines, "template")[0].startswith("problem template --system-prompt cannot be used: ")


def test_a_benchmark_with_system_turns_for_a_template_without_them_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    from dataclasses import replace

    from benchmarks.base import Benchmark, Message

    made = benchmark_registry.load_benchmark("good")
    turned = tuple(replace(one, messages=(Message("system", "S"), *one.messages)) for one in made.prompts)
    changed: Benchmark = replace(made, prompts=turned)
    vars(benchmark_registry)["BENCHMARKS"]["good"] = lambda: changed  # taken out with the fakes
    code, lines = examined("--model", saved(tmp_path / "gemma", GEMMA))
    assert code == 2
    assert about(lines, "template")[1] == (
        "problem template Benchmark 'good' has system turns, but the template takes no system turn: no role for that. "
        "Leave it out, or take another model."
    )
    assert examined("--model", saved(tmp_path / "phi3", PHI3))[0] == 0


def test_methods_that_edit_weights_are_a_problem_for_a_quantised_model(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    folder = Path(saved(tmp_path / "model", PHI3))
    settings = json.loads((folder / "config.json").read_text())
    quantised = {"quant_method": "gptq", "bits": 4}
    (folder / "config.json").write_text(json.dumps({**settings, "quantization_config": quantised}))
    code, lines = examined("--model", str(folder), "--methods", "dinm,neurontune", "--data", "embedded")
    assert code == 2
    assert about(lines, "methods")[:1] == [
        "problem methods Method 'dinm' edits weights, which a quantised model does not allow. "
        "Give the whole model, or leave the method out."
    ]


def test_an_arm_that_the_data_does_not_fit_is_a_problem(examined: Callable[..., tuple[int, list[str]]]) -> None:
    code, lines = examined("--methods", "default,picky,scans")
    assert code == 2
    picky, scans = about(lines, "methods")
    assert picky == "problem methods 'picky' does not like 'embedded'."
    assert scans.startswith("problem methods 'scans' ") and "alignment data 'fakes' has 1" in scans
    assert lines[-1] == "2 problems."


def test_an_arm_that_the_model_does_not_fit_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    tiny("mixtral").network.save_pretrained(tmp_path / "model")  # type: ignore[operator]
    tiny("mixtral").tokenizer.save_pretrained(tmp_path / "model")
    code, lines = examined("--model", str(tmp_path / "model"), "--methods", "neurontune", "--data", "embedded")
    assert code == 2
    assert about(lines, "methods")[0] == (
        f"problem methods Method 'neurontune' needs neurons, which model '{tmp_path}/model' does not offer, being a "
        "mixture of experts. Use a dense model, or leave the method out."
    )


def test_the_arms_of_every_builtin_method_fit_the_embedded_model_and_data(
    examined: Callable[..., tuple[int, list[str]]],
) -> None:
    code, lines = examined("--methods", ",".join(BUILT_IN), "--data", "embedded", "--benchmarks", "embedded_harmful")
    assert (code, about(lines, "methods"), lines[-1]) == (0, [], "All is there.")


def test_methods_on_an_engine_with_models_of_its_own_are_not_called_checked(
    examined: Callable[..., tuple[int, list[str]]],
) -> None:
    code, lines = examined("--engine", "fake")
    assert (code, lines[-1]) == (0, "1 warning.")
    assert about(lines, "methods") == [
        "warning methods not checked: this model can be looked at only once it is loaded; the run does it before its "
        "first fit"
    ]


def test_a_check_that_breaks_is_a_warning_since_its_arm_alone_will_fail(
    examined: Callable[..., tuple[int, list[str]]],
) -> None:
    code, lines = examined("--methods", f"{FAULTY}:ChecksBadly")
    assert (code, lines[-1]) == (0, "1 warning.")
    assert about(lines, "methods") == [
        "warning methods ChecksBadly will fail: Method 'checks_badly' failed while it was checked: AttributeError: "
        "'Prompt' object has no attribute 'nothing'."
    ]


def test_a_gpu_that_is_not_there_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, lines = examined("--device", "cuda")
    assert code == 2
    assert about(lines, "memory") == [
        "problem memory Device 'cuda' was asked for, but torch sees no GPU. Use '--device cpu'."
    ]


@pytest.mark.parametrize(
    ("free", "code", "begins"),
    [
        (2**20, 2, "problem memory not enough memory: about 10.89 MiB weights, "),
        (12 * 2**20, 0, "warning memory may not suffice: about 10.89 MiB weights, "),
        (2**40, 0, "ok memory about 10.89 MiB weights, "),
    ],
)
def test_memory_is_held_against_what_is_free(
    free: int,
    code: int,
    begins: str,
    examined: Callable[..., tuple[int, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_free_on_the_machine", lambda: free)
    found, lines = examined()
    assert found == code
    assert about(lines, "memory")[0].startswith(begins)


@pytest.mark.parametrize(
    ("most", "used", "free"), [("1048576", "1000000", 48_576), ("1000000", "1048576", 0), ("max", "5", None)]
)
def test_a_container_has_no_more_memory_than_its_group(
    most: str, used: str, free: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    whole = memory.machine_bytes()
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.machine_bytes() == (whole if free is None else int(most))
    found = memory.free_bytes(torch.device("cpu"), is_spread=False)
    assert found > 2**20 if free is None else found == free


def test_a_prompt_that_the_model_cannot_read_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model", PHI3)
    (tmp_path / "long.csv").write_text("prompt,key\nWhy?,short\n" + "why " * 600 + ",long\n")
    table = f"file:{tmp_path}/long.csv[intent=benign,id=key]"
    code, lines = examined("--model", folder, "--benchmarks", table)
    assert code == 2
    (line,) = about(lines, "context")
    assert re.fullmatch(
        rf"problem context 1 of 2 prompts of benchmark 'long' are longer than the 512 tokens that model '{folder}' "
        r"reads; 'long' has [\d,]+. Leave them out, or take a model that reads more.",
        line,
    )


def test_replies_that_may_grow_longer_than_the_model_reads_are_a_warning(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model", PHI3)
    (tmp_path / "a.csv").write_text("prompt\nzebra\nWhy is a zebra striped?\n")
    table = f"file:{tmp_path}/a.csv[intent=benign]"
    code, lines = examined("--model", folder, "--benchmarks", table)
    assert code == 0
    (line,) = about(lines, "context")
    found = re.fullmatch(
        r"warning context 2 of 2 prompts of 'a' leave no room for 512 tokens of a reply: the longest has (\d+), and "
        rf"model '{folder}' reads 512 with the reply. "
        r"Give --max-new-tokens (\d+) or less.",
        line,
    )
    assert found and int(found[1]) + int(found[2]) == 512
    assert about(examined("--model", folder, "--benchmarks", table, "--max-new-tokens", found[2])[1], "context") == []


def test_a_padding_token_beyond_the_embedding_is_told_and_replaced(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    words = tokenizer_of(PHI3)
    rows = len(words)
    words.add_special_tokens({"pad_token": "[PAD]"})
    FAMILIES["llama"](rows, SMALL).save_pretrained(tmp_path / "model")
    words.save_pretrained(tmp_path / "model")
    folder = str(tmp_path / "model")
    code, lines = examined("--model", folder)
    assert (code, about(lines, "padding")) == (
        0,
        [
            f"warning padding the tokenizer pads with id {rows:,}, but the embedding of model '{folder}' has {rows:,} "
            "rows; rows of a batch are filled with 0"
        ],
    )
    model = TransformersEngine().load(ModelSpec(folder, device="cpu"))
    asked = benchmark_registry.load_benchmark("bad").prompts
    together = model.generate(asked[:2], GenerationSettings(3))
    alone = model.generate(asked[:1], GenerationSettings(3))
    assert together[0].token_ids == alone[0].token_ids


def test_a_template_that_writes_a_token_beyond_the_embedding_is_a_problem(
    examined: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    words = tokenizer_of(PHI3)
    rows = len(words) - 1
    FAMILIES["llama"](rows, SMALL).save_pretrained(tmp_path / "model")
    words.save_pretrained(tmp_path / "model")
    code, lines = examined("--model", str(tmp_path / "model"))
    assert code == 2
    assert about(lines, "template")[1:] == [
        f"problem template The chat template writes '<|over|>' (id {rows:,}), but the embedding of model "
        f"'{tmp_path}/model' has {rows:,} rows. Give the tokenizer that the model was trained with."
    ]


def test_an_output_below_a_file_is_a_problem(examined: Callable[..., tuple[int, list[str]]], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, lines = examined("--output", f"{tmp_path}/file/run")
    assert code == 2
    assert about(lines, "disk") == [
        f"problem disk Cannot write to '{tmp_path}/file/run': a part of the path is a file, not a folder. Replies that "
        "were saved before are kept. Mend this and run the same command again, or choose another --output."
    ]


@pytest.mark.parametrize(
    ("free", "level"), [(2**10, Level.PROBLEM), (2**20, Level.WARNING), (2**31, Level.OK)], ids=str
)
def test_the_disk_is_held_against_what_replies_may_take(
    free: int, level: Level, examined: Callable[..., tuple[int, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    code, lines = examined()
    assert about(lines, "disk")[0].startswith(f"{level} disk at most 0.19 MiB for 32 replies; ")
    assert code == (2 if level is Level.PROBLEM else 0)


def test_a_run_stops_before_any_work_at_what_the_doctor_calls_a_problem(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run_fakes("--engine", "transformers", "--model", str(tmp_path / "empty"), "--device", "cpu") == 2
    assert capfd.readouterr().err == (
        f"equipoise: Model folder '{tmp_path}/empty' has no config.json; it is empty. "
        "Give a folder that save_pretrained has written.\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_run_tells_warnings_and_goes_on(
    run_fakes: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert run_fakes() == 0
    first = capfd.readouterr().err.splitlines()[0]
    assert first.startswith("warning: disk: at most 0.")
    assert "; 1.00 MiB free at " in first


def test_several_problems_of_a_run_are_counted(run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del run_fakes
    from harness.config import build_config
    from harness.plan import make_plan
    from harness.progress import Display

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    config = build_config({"model": str(tmp_path), "benchmarks": "bad", "methods": "prefix", "data": "fakes"})
    with pytest.raises(doctor.UserError) as told:
        doctor.preflight(config, make_plan(config), Display())
    assert str(told.value).endswith(" 'equipoise doctor' with the same flags tells 1 more.")


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_counted_without_the_weights(family: str) -> None:
    network = tiny(family).network
    assert parameters(network.config) == sum(one.numel() for one in network.parameters())  # type: ignore[arg-type]


def test_the_memory_of_an_8b_model_is_reckoned_as_by_hand() -> None:
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        dtype="bfloat16",
    )
    batch = Batch(rows=32, prompt_tokens=500, reply_tokens=500, has_gradients=True)
    found = estimate(config, ModelSpec("m"), "auto", batch)
    assert found.weights == 8_030_261_248 * 2
    cache, reading = 2 * 32 * 8 * 128 * 2 * 32 * 1000, (6 * 4096 + 3 * 14_336) * 2 * 32 * 500
    assert found.generation == cache + reading + 32 * 128_256 * (2 + 4 + 4)
    assert found.scoring == 32 * 500 * 128_256 * (2 + 4 + 4)
    kept, logits = 32 * (10 * 4096 + 4 * 14_336) * 2 * 1000, 500 * 128_256 * (2 * (2 + 4) + 4)
    assert found.training == 2 * (kept + logits)  # 2,048 tokens in a pass are two such rows
    assert found.total == found.weights + found.scoring
    assert estimate(config, ModelSpec("m"), "auto", batch._replace(has_gradients=False)).training == 0
    assert estimate(config, ModelSpec("m", quantize="8bit"), "auto", batch).weights == 8_030_261_248
    assert estimate(config, ModelSpec("m"), torch.float32, batch).weights == 8_030_261_248 * 4


def test_a_table_counts_what_needs_a_hand() -> None:
    lines = [Finding("a", Level.PROBLEM, "x."), Finding("bc", Level.WARNING, "y."), Finding("a", Level.WARNING, "z.")]
    assert table(lines) == "problem  a   x.\nwarning  bc  y.\nwarning  a   z.\n\n1 problem and 2 warnings."


def test_system_prompt_and_date_are_part_of_the_protocol(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--system-prompt", "Be kind.") == 0
    protocol = json.loads((tmp_path / "run" / "run.json").read_text())["protocol"]
    assert (protocol["model"]["system_prompt"], protocol["model"]["date"]) == ("Be kind.", "2024-07-26")
    capfd.readouterr()
    assert run_fakes("--system-prompt", "Be brief.", "--date", "2025-01-02") == 2
    told = capfd.readouterr().err
    assert '  model.system_prompt: "Be kind." -> "Be brief."\n' in told
    assert '  model.date: "2024-07-26" -> "2025-01-02"\n' in told
