from collections.abc import Mapping
from dataclasses import replace

import pytest

from benchmarks.base import Intent, Json
from metrics.base import Direction
from reports import html, markdown, terminal
from reports.base import Column, Comparison
from reports.cautions import cautions, warnings_of_fit
from tests.reports.conftest import estimate

ROSE, LOWER = "its loss rose while it was fitted", "a smaller learning rate may help."
USELESS = "refusals there are no sign of safety, and answers no use."


def with_degenerate(comparison: Comparison, shares: Mapping[str, float]) -> Comparison:
    """Shares of degenerate replies to attacked prompts, by arm."""
    key = "attacked/degenerate_rate"
    column = Column(key, "attacked", "degenerate_rate", "Degenerate", "share", Direction.LOWER, Intent.HARMFUL)
    found = {(name, key): estimate(share, "share") for name, share in shares.items()}
    return replace(comparison, columns=(*comparison.columns, column), estimates={**comparison.estimates, **found})


def with_replies(comparison: Comparison, replies: Mapping[str, str]) -> Comparison:
    """Every reply of an arm is the same text."""
    samples = tuple(replace(one, reply=replies.get(one.arm, f"{one.arm} says so")) for one in comparison.samples)
    return replace(comparison, samples=samples)


def of_refusals(comparison: Comparison, share: float) -> Comparison:
    key = ("default", "attacked/refusal_rate")
    return replace(comparison, estimates={**comparison.estimates, key: estimate(share, "share")})


def test_a_comparison_without_trouble_warns_of_nothing(comparison: Comparison) -> None:
    assert cautions(comparison) == ()
    assert "Warnings" not in html.render(comparison) and "Warning" not in markdown.render(comparison)


@pytest.mark.parametrize(
    ("ours", "default", "is_told"),
    [(0.62, 0.0, True), (0.2, 0.0, True), (0.19, 0.0, False), (0.5, 0.45, False), (0.56, 0.45, True)],
)
def test_an_arm_that_is_degenerate_far_more_often_than_default_is_warned_of(
    ours: float, default: float, is_told: bool, comparison: Comparison
) -> None:
    found = cautions(with_degenerate(comparison, {"neurontune": ours, "default": default}))
    line = f"neurontune: many of its replies are degenerate ({ours * 100:.1f} % to attacked); {USELESS}"
    assert found == ((line,) if is_told else ())


def test_arms_whose_replies_are_all_those_of_default_are_named(comparison: Comparison) -> None:
    count = sum(one.arm == "neurontune" for one in comparison.samples)
    same = with_replies(comparison, {"neurontune": "Hello.", "default": "Hello."})
    assert cautions(same) == (f"neurontune: each of its {count} replies is that of default, word for word.",)
    place = next(place for place, one in enumerate(same.samples) if one.arm == "neurontune")
    changed = (*same.samples[:place], replace(same.samples[place], reply="Other."), *same.samples[place + 1 :])
    assert cautions(replace(same, samples=changed)) == ()


def test_where_no_arm_changes_any_reply_that_is_said_once(comparison: Comparison) -> None:
    twin = replace(comparison.arms[1], name="twin")
    same = with_replies(comparison, {"neurontune": "Hello.", "default": "Hello."})
    twins = tuple(replace(one, arm="twin") for one in same.samples if one.arm == "neurontune")
    same = replace(same, arms=(*comparison.arms[:2], twin), samples=(*same.samples, *twins))
    assert cautions(same) == (
        "No arm changes any reply of default: all of neurontune and twin say the same, word for word.",
    )


@pytest.mark.parametrize(("share", "is_told"), [(0.0, True), (0.049, True), (0.05, False)])
def test_a_model_that_hardly_refuses_is_told_to_give_methods_little_to_steer_by(
    share: float, is_told: bool, comparison: Comparison
) -> None:
    line = (
        f"default refuses hardly any harmful prompt ({share * 100:.1f} % of attacked): methods have little refusal to "
        "steer by."
    )
    assert cautions(of_refusals(comparison, share)) == ((line,) if is_told else ())


@pytest.mark.parametrize(
    ("diagnostics", "told"),
    [
        ({"warnings": ["all layers tie."], "rate": 1}, ["all layers tie."]),
        ({"seed-0": {"warnings": ["a.", "b."]}, "seed-1": {"warnings": ["b."]}}, ["a.", "b."]),
        ({"warnings": "no list", "losses": "none", "loss": [0.1, 9.0]}, []),
        ({"losses": [0.2, 2.35]}, [f"{ROSE}, from 0.2 to 2.35; {LOWER}"]),
        ({"dinm": {"losses": [[0.18, 0.9, 0.82], [0.2, 2.35], [0.3, 0.1]]}},
         [f"{ROSE} in 2 of 3 courses, at most from 0.2 to 2.35; {LOWER}"]),
        ({"losses": [[0.5], [0.5, 0.51], [], [0.5, 0.9, 0.4]]}, []),
    ],
)  # fmt: skip
def test_warnings_of_a_fit_are_its_own_and_losses_that_rose(diagnostics: Mapping[str, Json], told: list[str]) -> None:
    assert list(warnings_of_fit(diagnostics)) == told


def test_warnings_stand_in_the_terminal_and_in_both_reports(comparison: Comparison) -> None:
    warned = replace(comparison.arms[1], diagnostics={"warnings": ["all layers <tie>."]})
    comparison = replace(comparison, arms=(comparison.arms[0], warned))
    assert "\nWarning: neurontune: all layers <tie>.\n" in terminal.render(comparison)
    assert "\n\nWarnings:\n\n- neurontune: all layers \\<tie\\>.\n" in markdown.render(comparison)
    page = html.render(comparison)
    assert "<h3>Warnings</h3>\n    <ul><li>neurontune: all layers &lt;tie&gt;.</li></ul>" in page
    assert page.index("<h3>Warnings</h3>") < page.index("</section>")
