from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import UserError
from harness.arms import ArmSpec
from harness.base import ModelSpec
from harness.config import build_config
from harness.config_file import read_config_file
from harness.plan import make_plan
from methods.base import GenerationSettings

WHOLE = """
model: {name: org/chat, revision: abc, dtype: bfloat16, device: cpu, engine: transformers}
methods:
  - default
  - {name: neurontune, as: neurontune-150, settings: {safety_neurons: 150}}
benchmarks: [embedded_attacked, embedded_benign]
generation: {max_new_tokens: 64}
seeds: [0, 1]
output: runs/x
limit: 0.5
batch_size: 8
judge: keyword
data: embedded
su_f1: {low: 0, high: 8}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "f.yaml"
    path.write_text(text)
    return path


def test_every_key_of_a_file_arrives(tmp_path: Path) -> None:
    config = build_config(read_config_file(written(tmp_path, WHOLE)))
    assert config.model == ModelSpec("org/chat", "abc", "bfloat16", "cpu")
    assert config.arms[1] == ArmSpec("neurontune-150", "neurontune", {"safety_neurons": 150})
    assert config.benchmarks == ("embedded_attacked", "embedded_benign")
    assert config.generation == GenerationSettings(64)
    assert (config.seeds, config.limit, config.batch_size, config.judge) == ((0, 1), 0.5, 8, "keyword")
    assert config.output == tmp_path / "runs/x"
    assert (config.bounds.low, config.bounds.high) == (0, 8)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    config = build_config(read_config_file(written(tmp_path, WHOLE)) | {"seeds": ["3", "4,5"], "limit": "7"})
    assert (config.seeds, config.limit) == ((3, 4, 5), 7)


def test_an_empty_command_is_the_embedded_comparison() -> None:
    config = build_config({})
    assert config.model == ModelSpec("embedded")
    assert config.arms[0] == ArmSpec("default", "default")
    assert (config.judge, config.data, config.seeds, config.batch_size) == ("grammar", "embedded", (0,), None)
    assert config.output == Path("runs/embedded")


def test_another_model_is_judged_by_phrases_and_learns_from_real_text() -> None:
    config = build_config({"model": "org/chat", "benchmarks": "alpaca_100"})
    assert (config.judge, config.data) == ("keyword", "published")
    assert config.output == Path("runs/org__chat")


def test_another_model_is_asked_nothing_of_the_embedded_world_by_default() -> None:
    with pytest.raises(UserError) as told:
        build_config({"model": "org/chat"})
    assert str(told.value) == (
        "No benchmark is named for model 'org/chat'. Give --benchmarks, for instance "
        "advbench_456,xstest_unsafe,xstest_safe,alpaca_100,mmlu; 'equipoise list benchmarks' has all."
    )


def test_settings_of_the_embedded_model_stand_below_tuned_and_given_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.config.own_settings", lambda: {"dinm": {"learning_rate": 0.25, "steps": 3}})
    (tmp_path / "chosen.json").write_text('{"method": "dinm", "settings": {"steps": 4}, "facts": {}}')

    def settings(text: str, model: str = "embedded") -> dict[str, Any]:
        given = {"model": model, "methods": text, "benchmarks": "embedded_benign", "data": "embedded"}
        return make_plan(build_config(given)).arms[1].settings

    plain = settings("dinm")
    assert (plain["learning_rate"], plain["steps"]) == (0.25, 3)
    assert settings(f"dinm@{tmp_path}")["steps"] == 4
    assert settings(f"dinm[steps=5]@{tmp_path}")["steps"] == 5
    assert settings("dinm+safety_prompt")["dinm_learning_rate"] == 0.25
    assert settings("dinm", "org/chat")["learning_rate"] != 0.25


def test_paths_and_variables_of_a_file_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "there")
    values = read_config_file(written(tmp_path, "model: ./checkpoint\noutput: $PLACE/run\nseed: 3\n"))
    assert values == {"model": str(tmp_path / "checkpoint"), "output": str(tmp_path / "there/run"), "seeds": 3}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("benchmarks: file:a.csv[intent=harmful]", {"benchmarks": "file:{folder}/a.csv[intent=harmful]"}),
        (
            "benchmarks: [advbench, 'advbench[attack=../t.csv,templates=all]', 'file:/a.csv[intent=b,attack=t.csv]']",
            {
                "benchmarks": [
                    "advbench",
                    "advbench[attack={above}/t.csv,templates=all]",
                    "file:/a.csv[intent=b,attack={folder}/t.csv]",
                ]
            },
        ),
        (
            "benchmarks: 'advbench,file:a.csv[intent=b],own.py:make'",
            {"benchmarks": "advbench,file:{folder}/a.csv[intent=b],{folder}/own.py:make"},
        ),
        (
            "data: 'file:a.csv[intent=harmful]+file:b.csv[intent=benign]'",
            {"data": "file:{folder}/a.csv[intent=harmful]+file:{folder}/b.csv[intent=benign]"},
        ),
        ("data: 'published[attack=gptfuzz]'", {"data": "published[attack=gptfuzz]"}),
        ("data: 'published[attack=$PLACE/t.csv]'", {"data": "published[attack={folder}/there/t.csv]"}),
        (
            "{judge: sub/own.py:Judge, engine: own.py:Engine}",
            {"judge": "{folder}/sub/own.py:Judge", "engine": "{folder}/own.py:Engine"},
        ),
        ("{judge: keyword, engine: 'vllm[max_model_len=9]'}", {"judge": "keyword", "engine": "vllm[max_model_len=9]"}),
    ],
)
def test_relative_paths_of_a_file_are_taken_from_its_folder(
    text: str, values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "there")

    def filled(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value.replace("{folder}", str(tmp_path)).replace("{above}", str(tmp_path.parent))

    assert read_config_file(written(tmp_path, text)) == {key: filled(value) for key, value in values.items()}


def test_methods_in_one_line_of_a_file_are_taken_from_its_folder_too(tmp_path: Path) -> None:
    (arm,) = read_config_file(written(tmp_path, "methods: own.py:Mine@tuned"))["methods"]
    assert (arm.method, arm.tuned) == (f"{tmp_path}/own.py:Mine", tmp_path / "tuned")


def test_a_run_file_of_another_folder_finds_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/mine.csv").write_text("prompt\nWhy?\n")
    path = written(tmp_path / "files", "methods: default\nbenchmarks: ['file:mine.csv[intent=benign]']\n")
    monkeypatch.chdir(tmp_path)
    (benchmark,) = make_plan(build_config(read_config_file(path))).benchmarks
    assert [prompt.plain for prompt in benchmark.prompts] == ["Why?"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: x", "{path}: No key named 'modle'. Did you mean 'model'? Available: "),
        ("model: {nam: x}", "{path}: No key of 'model' named 'nam'. Did you mean 'name'? Available: "),
        ("generation: {tokens: 3}", "{path}: No key of 'generation' named 'tokens'. "),
        ("generation: 3", "{path}: 'generation' is 3; it must hold keys: max_new_tokens."),
        ("methods: {}", "{path}: 'methods' is {{}}; it must be a list of names."),
        ("[1]", "Run file '{path}' holds list; it must hold keys such as 'model:'."),
        ("a: [", "Run file '{path}' is no YAML: "),
    ],
)
def test_a_wrong_file_is_told_with_its_name(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as told:
        read_config_file(path)
    assert str(told.value).startswith(message.format(path=path))
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        read_config_file(tmp_path / "none.yaml")
    assert str(told.value) == f"Run file '{tmp_path}/none.yaml' cannot be read: No such file or directory."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"limit": "few"}, "limit is 'few'; it must be a whole number from 1, or a share between 0 and 1."),
        ({"limit": "1.5"}, "limit is '1.5'; it must be a whole number from 1, or a share between 0 and 1."),
        ({"limit": True}, "limit is True; it must be a whole number from 1, or a share between 0 and 1."),
        ({"limit": "nan"}, "limit is 'nan'; it must be a whole number from 1, or a share between 0 and 1."),
        ({"batch_size": "0"}, "batch size is '0'; it must be 'auto' or a whole number from 1."),
        ({"batch_size": "1.5"}, "batch size is '1.5'; it must be 'auto' or a whole number from 1."),
        ({"seeds": "0,0"}, "seeds are 0, 0; each may be given once."),
        ({"seeds": "x"}, "seed is 'x'; it must be a whole number from 0."),
        ({"seeds": []}, "No seed is given. Leave seeds out to run with seed 0."),
        ({"max_new_tokens": 0}, "max new tokens is 0; it must be a whole number from 1."),
        ({"benchmarks": [3]}, "benchmarks are [3]; they must be names."),
        ({"benchmarks": []}, "benchmarks are []; they must be names."),
        ({"model": ""}, "model is ''; it must be a text."),
        ({"su_f1": {"low": 8}}, "su_f1 low is 8 and high is 7.5; low must lie below high."),
        ({"su_f1": {"low": "x"}}, "su_f1 low is 'x'; it must be a number."),
        ({"quantize": "2bit"}, "quantize is '2bit'; it must be '8bit' or '4bit'."),
        ({"trust_remote_code": "yes"}, "trust remote code is 'yes'; it must be true or false."),
        ({"date": "today"}, "date is 'today'; it must be a date such as 2024-07-26."),
        ({"device_map": ""}, "device map is ''; it must be a text."),
    ],
)
def test_a_wrong_value_is_told_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as told:
        build_config(values)
    assert str(told.value) == message


def test_a_file_says_how_the_model_is_loaded_and_asked(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "model: {name: org/chat, device_map: auto, quantize: 4bit, attention: eager, trust_remote_code: true}\n"
        "system_prompt: Be kind.\ndate: 2025-01-02\ncontrol_tokens: escaped\nbenchmarks: alpaca_100\n",
    )
    assert build_config(read_config_file(path)).model == ModelSpec(
        "org/chat",
        device_map="auto",
        quantize="4bit",
        attention="eager",
        trust_remote_code=True,
        system_prompt="Be kind.",
        today=date(2025, 1, 2),
        control_tokens="escaped",
    )


def test_an_empty_system_prompt_is_one() -> None:
    assert build_config({"system_prompt": ""}).model.system_prompt == ""
    assert build_config({}).model.system_prompt is None
