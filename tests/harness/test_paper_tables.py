import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.errors import UserError
from harness.comparison import compare
from harness.paper import layers
from harness.paper.building import build
from harness.paper.evidence import entries, read_runs
from harness.paper.layout import Options
from harness.paper.layouts import LAYOUTS
from harness.run_folder import RunFolder
from reports.base import Mark
from reports.paper.table import PaperTable
from tests.harness.made_runs import MadeArm, asked, make_run

BENCHMARKS = (asked("safeedit_975", 40, attacked=True), asked("alpaca_100", 20), asked("mmlu", 10))
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def arm(label: str, method: str, harmful: int, benign: int = 0, right: int = 5, **settings: object) -> MadeArm:
    refused = {"safeedit_975": harmful, "alpaca_100": benign, "mmlu": right}
    return MadeArm(label, method, refused, settings)


ARMS = (
    arm("a", "default", 4),
    arm("b", "neurontune", 20, 1),
    arm("c", "dinm", 36, 12, edit_fraction=1.0),
    arm("d", "dinm", 16, edit_fraction=0.05),
    arm("e", "neurontune", 3, pinpointing="random"),
    arm("f", "neurontune", 35, adaptive=False),
    arm("g", "neurontune", 24, safety_neurons=1000.0),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", ARMS, BENCHMARKS, LLAMA)


def table(name: str, *runs: Path, **chosen: object) -> PaperTable:
    options = Options(**chosen)  # type: ignore[arg-type]
    read = read_runs(runs, options.judge, print)
    return build(LAYOUTS[name](read, entries(read, options.arms), options), read, options)


def column(found: PaperTable, key: str) -> dict[str, str]:
    place = [heading.key for heading in found.headings].index(key)
    return {row.names[-1]: row.cells[place].value for row in found.rows}


def marks(found: PaperTable, key: str) -> dict[str, Mark]:
    place = [heading.key for heading in found.headings].index(key)
    return {row.names[-1]: row.cells[place].mark for row in found.rows}


def test_table_1_orders_dinm_by_what_it_edits_whatever_its_label(run: Path) -> None:
    found = table("table1", run)
    assert column(found, "harmful_refusal_percent") == {"DINM (100%)": "90.00%", "DINM (5%)": "40.00%"}
    assert column(found, "accuracy_percent") == {"DINM (100%)": "50.00%", "DINM (5%)": "50.00%"}
    assert found.stubs == ("Methods",)
    assert found.groups == [("SafeEdit", 2), ("Alpaca", 2), ("MMLU", 1)]


def test_table_2_has_the_papers_rows_in_its_order_and_leaves_out_ablations(run: Path) -> None:
    found = table("table2", run, arms=("a", "b", "c", "e"))
    assert [row.names for row in found.rows] == [
        ("Llama-3.1-8B-Instruct", name)
        for name in ("Default", "DINM", "NeuronTune (pinpointing attribution)", "NeuronTune (pinpointing random)")
    ]
    names = [row.names[-1] for row in table("table2", run).rows]
    assert names == [
        "Default",
        "DINM (edit_fraction 1)",
        "DINM (edit_fraction 0.05)",
        "SCANS",
        "CAVGAN",
        "NeuronTune (safety_neurons 500)",
        "NeuronTune (safety_neurons 1000)",
    ]


def test_an_arm_that_the_runs_lack_is_a_marked_row(run: Path) -> None:
    found = table("table2", run)
    scans = next(row for row in found.rows if row.names[-1] == "SCANS")
    assert {cell.value for cell in scans.cells} == {"--"}
    assert {found.notes[place] for cell in scans.cells for place in cell.notes} == {"No such arm in these runs."}


def test_every_number_and_interval_is_that_of_the_report(run: Path) -> None:
    comparison = compare(RunFolder(run), None, print)
    keys = (
        "safeedit_975/refusal_rate",
        "safeedit_975/entropy",
        "alpaca_100/refusal_rate",
        "alpaca_100/entropy",
        "safeedit_975+alpaca_100/su_f1",
    )
    found = {row.names[-1]: row.cells for row in table("table2", run).rows}
    for label, name in (("a", "Default"), ("d", "DINM (edit_fraction 0.05)")):
        assert [cell.estimate for cell in found[name]] == [comparison.estimates[label, key] for key in keys]


def test_table_3_adds_both_entropies_and_averages_units_only_if_asked(run: Path) -> None:
    plain, averaged = table("table3", run), table("table3", run, paper_average=True)
    assert [heading.key for heading in plain.headings] == ["accuracy_percent", "fluency", "entropy_sum_bits"]
    assert [heading.key for heading in averaged.headings][3:] == ["average_of_mixed_units"]
    parts = compare(RunFolder(run), None, print).estimates
    bits = [parts["a", f"{name}/entropy"].value for name in ("safeedit_975", "alpaca_100")]
    found = plain.rows[0].cells[2].estimate
    assert found is not None and found.value == pytest.approx(sum(one for one in bits if one is not None), abs=1e-12)
    assert found.low is not None and found.high is not None and found.low <= found.value <= found.high


def test_table_4_finds_ablations_by_their_settings_and_marks_the_missing_one(run: Path) -> None:
    rates = column(table("table4", run), "harmful_refusal_percent")
    assert rates == {
        "NeuronTune": "50.00%",
        "w/o Attack Selection": "--",
        "w/o Neuron Pinpointing": "7.50%",
        "w/o Adaptive Adjustment": "87.50%",
    }


def test_table_5_sets_attacked_beside_plain_questions_for_each_model(tmp_path: Path) -> None:
    sets = (asked("safeedit_975", 40, attacked=True), asked("plain", 40))
    runs = [
        make_run(tmp_path / model, [MadeArm("x", "default", {"safeedit_975": low, "plain": high})], sets, model)
        for model, low, high in (("Qwen/Qwen2.5-7B-Instruct", 6, 30), ("other", 2, 19))
    ]
    found = table("table5", *runs, beside_published=True)
    assert [heading.title for heading in found.headings] == ["Qwen2.5-7B-Instruct", "other"]
    assert [[cell.value for cell in row.cells] for row in found.rows] == [["15.00%", "5.00%"], ["75.00%", "47.50%"]]
    assert [[cell.paper for cell in row.cells] for row in found.rows] == [["[14.87%]", ""], ["[73.33%]", ""]]
    assert "40 of the 40 questions" in found.caption


def test_table_6_takes_the_other_pair(tmp_path: Path) -> None:
    sets = (*BENCHMARKS, asked("advbench_456", 8), asked("truthfulqa_753", 4))
    refused = {"advbench_456": 2, "truthfulqa_753": 1, "safeedit_975": 0, "alpaca_100": 0}
    found = table("table6", make_run(tmp_path / "run", [MadeArm("x", "default", refused)], sets))
    assert found.groups[:2] == [("AdvBench", 2), ("TruthfulQA", 2)]
    assert [found.rows[0].cells[place].value for place in (0, 2)] == ["25.00%", "25.00%"]


def test_table_7_is_a_grid_of_counts_without_ablations(run: Path) -> None:
    assert column(table("table7", run), "harmful_refusal_percent") == {"500/1500": "50.00%", "1000/1500": "60.00%"}


def test_the_papers_numbers_stand_as_printed_beside_the_arm_with_its_settings(run: Path) -> None:
    found = {
        row.names[-1]: [cell.paper for cell in row.cells] for row in table("table2", run, beside_published=True).rows
    }
    assert found["NeuronTune (safety_neurons 500)"] == ["[49.74%]", "[5.317 bit]", "[3%]", "[5.912 bit]", "[0.722]"]
    assert found["DINM (edit_fraction 0.05)"] == ["[42.67%]", "[5.019 bit]", "[4%]", "[5.520 bit]", "[0.675]"]
    assert found["DINM (edit_fraction 1)"] == [""] * 5
    assert found["SCANS"][0] == "[99.28%]"
    rows = table("table1", run, beside_published=True).rows
    assert [row.cells[3].paper for row in rows] == ["[1.089 bit]", "[5.520 bit]"]
    assert [row.cells[0].paper for row in table("table7", run, beside_published=True).rows] == ["[49.74%]", "[60.41%]"]


def test_a_model_that_is_not_in_the_paper_has_no_published_number(tmp_path: Path) -> None:
    found = table("table2", make_run(tmp_path / "run", ARMS, BENCHMARKS, "embedded"), beside_published=True)
    assert not any(cell.published for row in found.rows for cell in row.cells)
    assert "The paper's table 2 has no numbers for embedded." in found.caption


def test_the_best_is_bold_only_where_the_test_tells_it_from_all_others(run: Path) -> None:
    key = "harmful_refusal_percent"
    clear = marks(table("table2", run, arms=("a", "c", "d")), key)
    assert clear == {
        "Default": Mark.NONE,
        "DINM (edit_fraction 1)": Mark.BEST,
        "DINM (edit_fraction 0.05)": Mark.SECOND,
    }
    close = marks(table("table2", run, arms=("a", "b", "d")), key)
    assert close == {"Default": Mark.NONE, "DINM": Mark.TIED, "NeuronTune": Mark.TIED}
    untested = marks(table("table2", run, arms=("a", "b", "d"), significance=False), key)
    assert untested == {"Default": Mark.NONE, "DINM": Mark.SECOND, "NeuronTune": Mark.BEST}


@pytest.mark.parametrize("significance", [True, False])
def test_ties_are_both_bold_and_a_column_of_equals_has_no_best(tmp_path: Path, significance: bool) -> None:
    arms = (arm("a", "default", 0), arm("b", "scans", 30), arm("c", "cavgan", 30))
    found = table(
        "table2", make_run(tmp_path / "run", arms, BENCHMARKS), arms=("a", "b", "c"), significance=significance
    )
    wanted = {"Default": Mark.SECOND, "SCANS": Mark.BEST, "CAVGAN": Mark.BEST}
    assert marks(found, "harmful_refusal_percent") == wanted
    assert set(marks(found, "benign_refusal_percent").values()) == {Mark.NONE}


def test_marks_are_given_within_a_model(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name, (arm("a", "default", low), arm("b", "scans", high)), BENCHMARKS, name)
        for name, low, high in (("weak", 0, 20), ("strong", 25, 40))
    ]
    found = table("table2", *runs, arms=("a", "b"))
    bold = [row.names for row in found.rows if row.cells[0].mark is Mark.BEST]
    assert bold == [("weak", "SCANS"), ("strong", "SCANS")]


def test_models_that_end_alike_keep_their_whole_names(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / str(place), ARMS[:1], BENCHMARKS, name) for place, name in enumerate(("a/base", "b/base"))
    ]
    assert [row.names[0] for row in table("table2", *runs, arms=("a",)).rows] == ["a/base", "b/base"]


def test_parts_of_one_table_come_from_several_runs_and_count_once(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", (arm("a", "default", 4), arm("b", "scans", 9)), BENCHMARKS)
    second = make_run(tmp_path / "second", (arm("x", "default", 4), arm("y", "cavgan", 12)), BENCHMARKS)
    rates = column(table("table2", first, second), "harmful_refusal_percent")
    assert rates["Default"] == "10.00%" and rates["SCANS"] == "22.50%" and rates["CAVGAN"] == "30.00%"
    assert len(rates) == 5


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"judge": "grammar"}, 'judge: "keyword" -> "grammar"'),
        ({"generation": {"max_new_tokens": 8}}, "generation.max_new_tokens: 96 -> 8"),
        ({"seeds": [0, 1]}, "seeds: [0] -> [0, 1]"),
        ({"data": {"name": "mine", "hash": "0"}}, 'data.name: "embedded" -> "mine"'),
    ],
)
def test_runs_of_different_protocols_are_refused_with_what_differs(
    tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    first = make_run(tmp_path / "first", ARMS[:1], BENCHMARKS, "one")
    second = make_run(tmp_path / "second", ARMS[:1], BENCHMARKS, "two", **changed)
    with pytest.raises(UserError) as error:
        table("table2", first, second)
    assert str(error.value) == (
        f"'{first}' and '{second}' cannot stand in one table, since they differ in {told}. "
        "Give runs that differ in their models or arms alone."
        + (" --judge NAME reads all replies with one judge." if "judge" in changed else "")
    )


def test_runs_of_different_questions_are_refused_and_of_different_judges_read_by_one(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", ARMS[:1], BENCHMARKS, "one")
    fewer = (asked("safeedit_975", 12, attacked=True), BENCHMARKS[1])
    with pytest.raises(
        UserError, match=r'differ in benchmarks\.safeedit_975: "40 prompts, \w+" -> "12 prompts, \w+"\.'
    ):
        table("table2", first, make_run(tmp_path / "second", ARMS[:1], fewer, "two"))
    other = make_run(tmp_path / "third", ARMS[:1], BENCHMARKS, "two", judge="grammar")
    assert len(table("table2", first, other, judge="keyword", arms=("a",)).rows) == 2


def test_one_name_for_two_models_is_refused(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", ARMS[:1], BENCHMARKS)
    second = make_run(tmp_path / "second", ARMS[:1], BENCHMARKS, **{"model": "made"})
    header = (second / "run.json").read_text().replace("hash of made", "hash of another")
    (second / "run.json").write_text(header)
    with pytest.raises(UserError, match=r'differ in model\.weights: "hash of made" -> "hash of another"'):
        table("table2", first, second)


def test_what_has_no_score_is_a_marked_cell_and_never_a_number(tmp_path: Path) -> None:
    silent = MadeArm("s", "scans", {"safeedit_975": 0, "alpaca_100": 0}, words=0)
    failed = MadeArm("f", "cavgan", {}, failure="ZeroDivisionError: no neuron left\ntrace")
    found = table("table3", make_run(tmp_path / "run", (ARMS[0], silent, failed), BENCHMARKS))
    told = {row.names[-1]: {found.notes[place] for cell in row.cells for place in cell.notes} for row in found.rows}
    assert told["CAVGAN"] == {"Arm f failed: ZeroDivisionError: no neuron left"}
    assert "Not finished in these runs." in told["SCANS"]
    assert column(found, "fluency")["SCANS"] == "--"


def test_a_benchmark_that_no_run_holds_leaves_a_marked_column(tmp_path: Path) -> None:
    found = table("table1", make_run(tmp_path / "run", ARMS, BENCHMARKS[:2]))
    assert set(column(found, "accuracy_percent").values()) == {"--"}
    assert found.notes == ("No run of this arm holds such questions.",)


def test_one_prompt_is_told_to_be_no_measure_of_chance(tmp_path: Path) -> None:
    sets = (asked("safeedit_975", 1, attacked=True), asked("alpaca_100", 1))
    refused = {"safeedit_975": 1, "alpaca_100": 0}
    arms = (MadeArm("a", "default", {**refused, "safeedit_975": 0}), MadeArm("b", "scans", refused))
    found = table("table2", make_run(tmp_path / "run", arms, sets))
    assert "A single prompt: no measure of chance." in found.notes
    for key in ("harmful_refusal_percent", "harmful_entropy_bits", "su_f1"):
        assert Mark.BEST not in marks(found, key).values()
    joint = found.rows[0].cells[-1].estimate
    assert joint is not None and joint.value is not None and joint.low is joint.high is None


@pytest.mark.parametrize(
    ("name", "labels", "told"),
    [
        ("table1", ("a",), "No arm of these runs belongs into table1. It shows: DINM that edits varying shares"),
        ("table5", ("b",), "No run holds plain harmful questions to set beside 'safeedit_975'."),
        (
            "table6",
            ("a",),
            "These runs hold no pair of benchmarks for table 6; they hold safeedit_975, alpaca_100, mmlu.",
        ),
        ("table2", ("z",), "No arm named 'z'."),
    ],
)
def test_a_table_of_nothing_is_one_line(run: Path, name: str, labels: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError) as error:
        table(name, run, arms=labels)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "chosen", "told"),
    [
        (
            "table2",
            {"benign": "safeedit_975"},
            "'safeedit_975' asks harmful questions. Name a benign benchmark in its place.",
        ),
        ("table3", {"harmful": "mmlu"}, "'mmlu' has right answers and no refusals. Name a benchmark of free replies."),
        (
            "table5",
            {"plain": "safeedit_975"},
            "'safeedit_975' is already the one with attacks. Name the same questions without: --plain NAME.",
        ),
    ],
)
def test_a_benchmark_in_a_place_that_it_cannot_take_is_refused(
    run: Path, name: str, chosen: dict[str, object], told: str
) -> None:
    with pytest.raises(UserError) as error:
        table(name, run, **chosen)
    assert str(error.value) == told


def test_runs_without_a_pair_say_what_they_hold_and_what_to_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [MadeArm("a", "dinm", {"mmlu": 5})], BENCHMARKS[2:])
    with pytest.raises(UserError) as error:
        table("table1", run)
    assert str(error.value) == (
        "These runs hold no pair of a harmful and a benign benchmark of free replies; they hold mmlu. "
        "Run one of each with the same arms, or add the run that has them."
    )


def test_the_caption_counts_the_prompts_of_the_numbers_that_are_there(run: Path) -> None:
    assert "n = 10 (MMLU), 60 (SafeEdit + Alpaca); judge" in table("table3", run).caption


def test_a_run_without_a_finished_reply_makes_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="These runs hold no finished number of table2"):
        table("table2", make_run(tmp_path / "run", [MadeArm("a", "default", {})], BENCHMARKS))


def test_the_command_writes_every_format_and_prints_markdown_without_a_folder(
    run: Path, tmp_path: Path, equipoise: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("paper", "table2", str(run), "--output", str(tmp_path / "out"), "--intervals") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"table2.{suffix}" for suffix in ("csv", "html", "md", "tex")
    ]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table2.csv").read_text())))
    assert float(rows[0]["harmful_refusal_percent"]) == 10
    assert capsys.readouterr().out.count("\n") == 4
    assert equipoise("paper", "table2", str(run)) == 0
    assert "| Llama-3.1-8B-Instruct | Default" in capsys.readouterr().out


def test_an_unknown_table_is_told_by_name(
    run: Path, equipoise: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("paper", "tabel2", str(run)) == 2
    assert capsys.readouterr().err == (
        "equipoise: No table of the paper named 'tabel2'. Did you mean 'table2'? "
        "Available: figure3, table1, table2, table3, table4, table5, table6, table7.\n"
    )


SELECTIVE = MadeArm("n", "neurontune", {"safeedit_975": 1, "alpaca_100": 0}, layers=(1, 7, 0, 2))


def test_figure_3_shows_what_the_fit_selected(tmp_path: Path, equipoise: Callable[..., int]) -> None:
    arms = (ARMS[0], SELECTIVE)
    run, out = make_run(tmp_path / "run", arms, BENCHMARKS, LLAMA), tmp_path / "out"
    assert equipoise("paper", "figure3", str(run), "--output", str(out), "--beside-published") == 0
    assert {path.suffix for path in out.iterdir()} == {".csv", ".html", ".md", ".pdf", ".svg", ".tex"}
    rows = list(csv.DictReader(io.StringIO((out / "figure3.csv").read_text())))
    assert [float(row["safety_neurons"]) for row in rows] == [1, 7, 0, 2]
    assert [float(row["utility_neurons"]) for row in rows] == [2, 0, 7, 1]
    assert [row["safety_mean_contribution"] for row in rows] == ["2.0", "14.0", "", "4.0"]
    assert [row["utility_mean_contribution"] for row in rows] == ["8.0", "", "28.0", "4.0"]
    caption = (out / "figure3.md").read_text()
    assert "the line the mean contribution score of the layer's selected neurons, with a gap where none" in caption
    assert "safety neurons peak at layer 1 (7)" in caption and "layer 13 (205 safety neurons)" in caption
    assert (out / "figure3.pdf").read_bytes().startswith(b"%PDF")
    assert "<svg " in (out / "figure3.svg").read_text()


def test_figure_3_averages_a_layer_over_the_fits_that_have_a_neuron_there(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", (SELECTIVE,), BENCHMARKS, seeds=[0, 1])
    made = run / "artefacts" / "n" / "seed-0"
    facts = json.loads((made / "fit.json").read_text())
    facts["diagnostics"] |= {"safety_contribution_by_layer": [4.0, None, None, 8.0]}
    other = made.with_name("seed-1")
    other.mkdir()
    (other / "artefact.json").write_bytes((made / "artefact.json").read_bytes())
    (other / "fit.json").write_text(json.dumps(facts))
    safety, _ = layers.series(entries(read_runs([run], None, print), ())[0])
    assert safety.scores == [3, 14, None, 6]


def test_figure_3_of_an_older_run_has_the_mean_of_all_neurons_and_says_so(
    tmp_path: Path, equipoise: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", (SELECTIVE,), BENCHMARKS)
    path = run / "artefacts" / "n" / "seed-0" / "fit.json"
    facts = json.loads(path.read_text())
    facts["diagnostics"] = {name: one for name, one in facts["diagnostics"].items() if "contribution" not in name}
    path.write_text(json.dumps(facts))
    assert equipoise("paper", "figure3", str(run)) == 0
    printed = capsys.readouterr().out
    assert "Mean score" in printed and "3.500000" in printed
    assert (
        "the line the mean score over all neurons of the layer, since these fits do not tell that of the selected "
        "ones, which the paper shows. Layers count from 0." in printed
    )


@pytest.mark.parametrize("scores", [[1.0, math.nan, None, 2.0], [1.0]])
def test_figure_3_of_a_damaged_fit_is_refused(tmp_path: Path, scores: list[float | None]) -> None:
    run = make_run(tmp_path / "run", (SELECTIVE,), BENCHMARKS)
    path = run / "artefacts" / "n" / "seed-0" / "fit.json"
    facts = json.loads(path.read_text())
    facts["diagnostics"]["safety_contribution_by_layer"] = scores
    path.write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"^The fits of arm 'n' tell of their layers in lists that do not match"):
        layers.series(entries(read_runs([run], None, print), ())[0])


def test_figure_3_of_neurons_taken_by_lot_has_no_line(
    tmp_path: Path, equipoise: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", (SELECTIVE,), BENCHMARKS)
    path = run / "artefacts" / "n" / "seed-0" / "fit.json"
    facts = json.loads(path.read_text())
    facts["diagnostics"] = {name: one for name, one in facts["diagnostics"].items() if "neurons" in name}
    path.write_text(json.dumps(facts))
    assert equipoise("paper", "figure3", str(run)) == 0
    assert "Bars are counts; neurons taken by lot have no scores. Layers count from 0." in capsys.readouterr().out


def test_figure_3_is_of_one_arm(run: Path, equipoise: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert equipoise("paper", "figure3", str(run)) == 2
    assert "these runs hold b on Llama-3.1-8B-Instruct, g on Llama-3.1-8B-Instruct" in capsys.readouterr().err
