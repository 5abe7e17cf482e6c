"""The parts of the report beside its tables of numbers: topics, costs, other judges, spreads, fits, vendored code."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from benchmarks.base import Intent, Json
from metrics.estimation import rate
from reports import html, markdown
from reports.base import Comparison
from reports.controls import is_control
from reports.costs import cost_table
from reports.figures import shapes
from reports.fits import fits
from reports.opinions import opinions
from reports.spread import spreads
from reports.topics import topics
from reports.trade_off import trade_offs
from tests.reports.conftest import arm

VENDORED = {
    "sortable.min.js": "a887cf42ad5b69673364c529afe8500b31dfbe3e78c2e623bee6430fc69b990f",  # sortable-tablesort 4.1.7
    "sortable.LICENSE": "88d9b4eb60579c191ec391ca04c16130572d7eedc4a86daa58bf28c6e14c9bcd",
}


def test_vendored_files_are_those_of_their_release_and_nothing_else_lies_there() -> None:
    folder = resources.files("reports") / "assets" / "vendor"
    found = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}
    assert {name: found[name] for name in VENDORED} == VENDORED


def test_a_topic_has_the_rate_of_its_own_prompts_with_the_seeds_as_rows(comparison: Comparison) -> None:
    attacked, benign = topics(comparison)
    assert (attacked.column.benchmark, attacked.counts) == ("attacked", {"locks": 10, "privacy": 10})
    assert benign.cells["neurontune", "locks"].estimate == rate(np.ones((2, 10)))
    assert attacked.cells["default", "privacy"].value == "0.0"


def test_one_topic_or_a_crowd_of_them_makes_no_table(comparison: Comparison) -> None:
    one = tuple(replace(sample, category="locks") for sample in comparison.samples)
    many = tuple(replace(sample, category=sample.prompt_id + str(sample.arm)) for sample in comparison.samples)
    assert topics(replace(comparison, samples=one)) == topics(replace(comparison, samples=many)) == []


def test_an_unsure_verdict_is_left_out_of_its_topic(comparison: Comparison) -> None:
    first, *others = comparison.samples
    cell = topics(replace(comparison, samples=(replace(first, verdict="unsure"), *others)))[0].cells[
        "default", "privacy"
    ]
    assert cell.estimate is not None and cell.estimate.unscored == 1 and cell.value == "0.0"


def test_costs_stand_in_one_table_with_the_speed_beside_that_of_default(comparison: Comparison) -> None:
    slow = replace(comparison.arms[1], cost={**comparison.arms[1].cost, "tokens_per_second": 20.0})
    table = cost_table(replace(comparison, arms=(comparison.arms[0], slow, replace(comparison.arms[2], cost={}))))
    assert table is not None
    assert [title for title, _, _ in table.headers] == ["Fit", "Fit", "Peak memory of the fit", "Speed", "Speed"]
    assert [one.text for one in table.rows[1][1]] == ["15.0", "1,200", "3", "20", "0.25"]
    assert {one.text for one in table.rows[2][1]} == {"\N{EN DASH}"}


def test_where_nothing_was_measured_there_is_no_table_of_costs(comparison: Comparison) -> None:
    assert cost_table(replace(comparison, arms=tuple(replace(one, cost={}) for one in comparison.arms))) is None


def test_another_judge_is_told_with_kappa_counts_and_how_much_it_read(comparison: Comparison) -> None:
    (found,) = opinions(comparison)
    assert found.texts == ("90.0 (85.0-94.0)", "0.78 (0.70-0.86)", "70", "10", "0", "74", "6")
    assert found.read == "160 of 1,600 replies"
    for text in (html.render(comparison), markdown.render(comparison)):
        assert "0.78 (0.70-0.86)" in text and "160 of 1,600 replies" in text


def test_spreads_draw_harmful_and_benign_apart_and_say_the_medians(comparison: Comparison) -> None:
    entropy, length = spreads(comparison)
    assert "to harmful prompts<" in entropy.svg and "to benign prompts<" in entropy.svg
    assert "default to harmful prompts: median 19.5 (n 40)" in length.alternative


def test_replies_without_entropy_or_that_never_vary_have_no_spread(comparison: Comparison) -> None:
    silent = tuple(replace(one, entropy=None) for one in comparison.samples)
    alike = tuple(replace(one, entropy=4.0, tokens=7) for one in comparison.samples)
    assert spreads(replace(comparison, samples=silent)) == spreads(replace(comparison, samples=alike)) == []


def test_an_infinite_entropy_is_left_out_of_its_box(comparison: Comparison) -> None:
    first, *others = comparison.samples
    entropy = spreads(replace(comparison, samples=(replace(first, entropy=math.inf), *others)))[0]
    assert "default to harmful prompts: median 4 (n 39)" in entropy.alternative


def test_neurons_by_layer_are_means_over_the_seeds_and_losses_a_line_each(comparison: Comparison) -> None:
    neurons, losses = fits(comparison)
    assert neurons.alternative == (
        "neurontune. Neurons by layer. safety neurons: 2, 2, 6; utility neurons: 6, 3.5, 0.5"
    )
    assert losses.alternative == "Losses of the fits. neurontune: validation loss from 0.9 to 0.4"


def test_fits_that_tell_nothing_of_the_kind_have_no_plot(comparison: Comparison) -> None:
    quiet = tuple(replace(one, diagnostics={"loss": 0.5, "layers": [1], "note": "x"}) for one in comparison.arms)
    assert fits(replace(comparison, arms=quiet)) == []
    assert 'id="fits"' not in html.render(replace(comparison, arms=quiet))


@pytest.mark.parametrize(
    ("diagnostics", "told"),
    [
        ({"layer": 4, "area_under_curve_by_layer": {"3": 0.9, "4": 0.95}}, "m: area under the curve from 0.9 to 0.95"),
        ({"layers": [1, 2], "step_by_layer": [4.8, 5.4]}, "m: length of the step from 4.8 to 5.4"),
        ({"layers": [1], "distance_by_layer": [[1.0, 3.0], [2.0, 4.0]]}, "m: distance from 1 to 3"),
        (
            {
                "layer": 2,
                "tokens_before_last": 1,
                "candidates": [
                    {"place": 0, "layer": 1, "bypass": 9.0, "induce": 9.0},
                    {"place": 1, "layer": 1, "bypass": 5.0, "induce": -4.0},
                    {"place": 1, "layer": 2, "bypass": 3.0, "induce": -6.0},
                ],
            },
            "m: refusal left when ablated from 5 to 3; m: refusal when added from -4 to -6",
        ),
    ],
)
def test_how_a_layer_was_chosen_is_drawn(comparison: Comparison, diagnostics: Mapping[str, Json], told: str) -> None:
    chosen = replace(arm("m"), diagnostics=diagnostics)
    (plot,) = fits(replace(comparison, arms=(comparison.arms[0], chosen)))
    assert plot.alternative == f"How layers were chosen. {told}"
    assert plot.svg.startswith("<svg")


def test_parts_of_a_chain_are_named(comparison: Comparison) -> None:
    chain = replace(arm("a+b"), diagnostics={"b": {"validation_loss": [0.5, 0.25]}})
    (plot,) = fits(replace(comparison, arms=(comparison.arms[0], chain)))
    assert plot.alternative.endswith("a+b: b: validation loss from 0.5 to 0.25")


def test_methods_have_shapes_and_controls_are_hollow(many_arms: Comparison) -> None:
    found = shapes(many_arms)
    methods = {one.method: found[one.name].marker for one in many_arms.arms}
    assert len(set(methods.values())) == len(methods)
    hollow = [name for name, shape in found.items() if shape.is_hollow]
    assert hollow == [one.name for one in many_arms.arms if is_control(one)] == ["random-neurons"]


def test_the_plane_says_which_arms_no_other_beats(comparison: Comparison) -> None:
    (plot,) = trade_offs(comparison)
    assert plot.alternative.endswith("Pareto front: default, neurontune")


def test_a_run_without_replies_has_a_page_that_says_so(comparison: Comparison) -> None:
    empty = replace(comparison, samples=(), estimates={}, differences={}, marks={}, second_opinions=(), columns=())
    page = html.render(empty)
    assert "No benchmark of this run has been finished" in page and "Nothing can be told yet" in page


def test_benign_replies_alone_have_one_panel(comparison: Comparison) -> None:
    benign = tuple(one for one in comparison.samples if one.intent is Intent.BENIGN)
    assert "to harmful prompts" not in spreads(replace(comparison, samples=benign))[0].svg
