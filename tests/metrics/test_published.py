from collections.abc import Mapping

import numpy as np
import pytest

from benchmarks.errors import UserError
from metrics.published.tables import TABLES, published
from metrics.su_f1 import safety, su_f1, utility

MISFITS = {
    ("LLaMA2-7B-Chat", "NeuronTune"): (0.770, 0.757),
    ("LLaMA3.1-8B-Instruct", "w/o Attack Selection"): (0.289, 0.287),
}
"""Printed and recomputed, where the paper contradicts itself."""
ROUNDING = 0.0006


def recomputed(row: Mapping[str, str | float]) -> float:
    harmful, benign = (np.array(float(row[f"{intent}_refusal_percent"]) / 100) for intent in ("harmful", "benign"))
    bits = [np.array(row[f"{intent}_entropy_bits"], dtype=float) for intent in ("harmful", "benign")]
    return float(su_f1(safety(harmful, benign), utility(bits[0], bits[1])))


def test_the_formula_gives_every_printed_su_f1_but_two() -> None:
    rows = {tuple(row.values()): row for table in ("table2", "table4", "table6") for row in published(table)}
    assert len(rows) == 28
    misfits = {
        (row["model"], row["method"]): (row["su_f1"], round(recomputed(row), 3))
        for row in rows.values()
        if abs(recomputed(row) - float(row["su_f1"])) > ROUNDING
    }
    assert misfits == MISFITS


def test_the_entropy_of_table_3_is_the_sum_of_both_entropies_of_table_2() -> None:
    sums = {
        row["method"]: float(row["harmful_entropy_bits"]) + float(row["benign_entropy_bits"])
        for row in published("table2")
        if row["model"] == "LLaMA3.1-8B-Instruct"
    }
    printed = {row["method"]: float(row["entropy_sum_bits"]) for row in published("table3")}
    gaps = {method: round(printed[method] - bits, 3) for method, bits in sums.items()}
    assert gaps.pop("CAVGAN") == 0.011  # The paper prints 12.588 where its own parts make 12.577.
    assert gaps == {"Default": 0, "DINM": 0, "SCANS": 0, "NeuronTune": 0}


def test_the_average_of_table_3_is_the_mean_of_its_columns() -> None:
    for row in published("table3"):
        parts = [float(row[column]) for column in ("mmlu_accuracy_percent", "fluency", "entropy_sum_bits")]
        assert row["average"] == pytest.approx(sum(parts) / 3, abs=0.0051)


def test_main_table_rows_recur_in_the_tables_that_vary_them() -> None:
    main = {row["method"]: row for row in published("table2") if row["model"] == "LLaMA3.1-8B-Instruct"}
    five_percent = next(row for row in published("table1") if row["edited_percent"] == 5)
    assert main["DINM"]["harmful_refusal_percent"] == five_percent["safeedit_refusal_percent"]
    counts = {(row["safety_neurons"], row["utility_neurons"]): row for row in published("table7")}
    assert main["NeuronTune"]["harmful_entropy_bits"] == counts[500, 1500]["safeedit_entropy_bits"]
    attacked = published("table5")[0]
    assert main["Default"]["harmful_refusal_percent"] == attacked["LLaMA3.1-8B-Instruct"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_rows_of_one_shape(table: str) -> None:
    rows = published(table)
    assert rows and len({tuple(row) for row in rows}) == 1
    assert all(isinstance(row[column], float) for row in rows for column in row if column.endswith(("percent", "bits")))


def test_an_unknown_table_is_told_by_name() -> None:
    with pytest.raises(UserError) as error:
        published("tabel2")
    assert str(error.value) == (
        "No published table named 'tabel2'. Did you mean 'table2'? "
        "Available: table1, table2, table3, table4, table5, table6, table7."
    )
