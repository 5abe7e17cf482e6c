import json
from collections.abc import Callable
from pathlib import Path

from harness.tuning.chosen import read_chosen
from methods.neurontune.method import NeuronTune
from methods.settings import build_settings

QUICK = (
    "path_steps=2,path_refinements=0,utility_samples=2,epochs=1,local_samples=2,global_samples=4,validation_samples=2"
)


def test_neuron_counts_are_chosen_on_the_embedded_model(equipoise: Callable[..., int], tmp_path: Path) -> None:
    flags = ["--trials", "2", "--dev-prompts", "4", "--max-new-tokens", "24", "--output", str(tmp_path)]
    assert equipoise("tune", f"neurontune[{QUICK}]", *flags) == 0
    chosen = read_chosen(tmp_path)
    assert chosen.facts["searched"] == ["safety_neurons", "utility_neurons"]
    assert chosen.facts["value"] >= chosen.facts["default_value"]
    assert (chosen.facts["trials"], chosen.facts["failed"], chosen.facts["dev_prompts"]) == (2, 0, 8)
    build_settings(NeuronTune.settings_type, chosen.settings, "neurontune")
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("trials/*/trial.json"))]
    assert records[0]["settings"] == {"safety_neurons": 500.0, "utility_neurons": 1500.0}
    assert all(0.002 <= count <= 0.1 for record in records[1:] for count in record["settings"].values())
    assert all(record["forward_equivalents"] > 8 for record in records)
