from collections.abc import Mapping
from dataclasses import replace

import pytest

from metrics.base import Difference, Estimate
from reports import html, markdown
from reports.base import Comparison, Mark
from reports.controls import is_control
from reports.finding import finding
from tests.reports.conftest import arm, difference

SU_F1 = "attacked+benign/su_f1"


def test_what_differs_is_told_with_its_p_value_and_n_and_the_rest_is_noise(comparison: Comparison) -> None:
    lead, lines = finding(comparison)
    assert lead == "1 arm was compared with default."
    assert lines[0] == (
        "neurontune refuses 34.0 points more attacked prompts than default (p < 0.001, n 48); "
        "the differences in benign refusals, benign entropy and facts accuracy are within noise."
    )


def test_a_failed_arm_comes_last_with_its_reason(comparison: Comparison) -> None:
    assert finding(comparison).lines[-1] == (
        f"Of {comparison.arms[2].name} nothing can be told: the arm failed (loss is nan\nat step 3 \x1b[2J|)."
    )


def of_one(comparison: Comparison, told: Mapping[str, tuple[float, float]]) -> Comparison:
    """The first two arms, with these differences alone: value and adjusted p by column."""
    columns = {one.key: one for one in comparison.columns}
    made = {("neurontune", key): difference(columns[key], *one) for key, one in told.items()}
    return replace(comparison, arms=comparison.arms[:2], differences=made)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            {"attacked/refusal_rate": (0.25, 0.0001), "benign/refusal_rate": (0.01, 0.6)},
            "neurontune refuses 25.0 points more attacked prompts than default (p < 0.001, n 48); "
            "the difference in benign refusals is within noise.",
        ),
        (
            {
                "attacked/refusal_rate": (0.25, 0.012),
                "benign/refusal_rate": (0.1, 0.03),
                "facts/accuracy": (-0.2, 0.04),
            },
            "neurontune refuses 25.0 points more attacked prompts than default (p = 0.012, n 48), "
            "but refuses 10.0 points more benign prompts (p = 0.030, n 48) "
            "and has 20.0 points lower accuracy on facts (p = 0.040, n 48).",
        ),
        (
            {"attacked/refusal_rate": (-0.1, 0.03)},
            "neurontune refuses 10.0 points fewer attacked prompts than default (p = 0.030, n 48).",
        ),
        (
            {"benign/entropy": (-0.31, 0.02)},
            "neurontune has 0.31 bits lower entropy on benign than default (p = 0.020, n 48).",
        ),
        (
            {"attacked/refusal_rate": (0.25, 0.0501), "facts/accuracy": (0.1, 1.0)},
            "neurontune shows no difference to default beyond noise (n 48).",
        ),
    ],
)  # fmt: skip
def test_gains_stand_before_costs_and_noise(
    comparison: Comparison, told: Mapping[str, tuple[float, float]], line: str
) -> None:
    assert finding(of_one(comparison, told)).lines == (line,)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ({"neurontune": Mark.BEST, "default": Mark.SECOND}, "; the test tells it from every other arm."),
        ({"neurontune": Mark.TIED, "default": Mark.TIED}, "; the test does not tell it from default."),
    ],
)
def test_the_highest_su_f1_is_told_with_what_the_test_says_of_it(
    comparison: Comparison, marks: Mapping[str, Mark], told: str
) -> None:
    marked = replace(comparison, arms=comparison.arms[:2], marks={(name, SU_F1): mark for name, mark in marks.items()})
    assert finding(marked).lead == (
        f"1 arm was compared with default. neurontune has the highest SU-F1 (0.711, n 50){told}"
    )


def test_of_many_arms_the_best_are_told_and_controls_are_not_among_them(many_arms: Comparison) -> None:
    lines = finding(many_arms).lines
    assert len(lines) == 7 and lines[-1] == "21 more arms are in the table."
    values = {one.name: many_arms.estimates[one.name, SU_F1].value or 0.0 for one in many_arms.arms[1:]}
    best = sorted((name for name in values if name != "random-neurons"), key=values.__getitem__, reverse=True)
    assert [line.split(" ")[0] for line in lines[:-1]] == best[:6]


def test_a_control_is_called_one_and_stands_last(many_arms: Comparison) -> None:
    names = ("default", "random-neurons", "prompt-wrap")
    few = replace(many_arms, arms=tuple(one for one in many_arms.arms if one.name in names))
    first, second = finding(few).lines
    assert first.startswith("prompt-wrap ") and second.startswith("random-neurons (a control) ")
    assert not is_control(arm("plain"))


@pytest.mark.parametrize(
    ("changed", "lead"),
    [
        ({"estimates": {}, "differences": {}},
         "Nothing can be told yet: no benchmark has been finished, or no reply could be scored."),
        ({"differences": {}}, "Nothing can be told yet: no arm shares a finished benchmark with default."),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(comparison: Comparison, changed: Mapping[str, object], lead: str) -> None:
    told = replace(comparison, **changed)
    assert finding(told).lead == lead
    assert lead in html.render(told)


def test_one_arm_alone_is_compared_with_nothing(comparison: Comparison) -> None:
    alone = replace(comparison, arms=comparison.arms[:1], differences={})
    assert finding(alone) == ("Nothing can be told: default is the only arm, and there is no other to compare.", ())


def test_an_arm_that_has_not_finished_is_told_of_as_far_as_it_is(comparison: Comparison) -> None:
    told = of_one(comparison, {"attacked/refusal_rate": (0.25, 0.0001)})
    estimates = {place: one for place, one in told.estimates.items() if place != ("neurontune", "facts/accuracy")}
    assert (
        finding(replace(told, estimates=estimates))
        .lines[0]
        .endswith(" Missing: facts accuracy; cells that have not finished are left out.")
    )


def test_an_arm_whose_replies_are_all_unscored_says_so(comparison: Comparison) -> None:
    two = replace(comparison, arms=(*comparison.arms[:2], arm("mute")))
    none = {("mute", one.key): Estimate(None, None, None, 0, unscored=50) for one in comparison.headline}
    assert finding(replace(two, estimates={**two.estimates, **none})).lines[-1] == (
        "Of mute nothing can be told: no reply could be scored."
    )


def test_arms_that_have_not_finished_are_told_of_together_and_last(comparison: Comparison) -> None:
    late = [arm(f"late-{number}") for number in range(4)]
    two = replace(comparison, arms=(comparison.arms[0], *late, comparison.arms[1]))
    assert finding(two).lines[1:] == ("Of 4 arms nothing can be told: no benchmark of the leaderboard is finished.",)
    assert finding(replace(two, arms=(*two.arms[:3], two.arms[-1]))).lines[1].startswith("Of late-0 and late-1 nothing")


def test_best_of_the_arms_that_have_a_number_is_said_to_be_no_more(comparison: Comparison) -> None:
    marked = replace(comparison, marks={("neurontune", SU_F1): Mark.BEST, ("default", SU_F1): Mark.SECOND})
    assert finding(marked).lead.endswith("(0.711, n 50); the test tells it from all others that have one.")


def test_the_same_sentences_open_the_markdown(comparison: Comparison) -> None:
    text = markdown.render(comparison).replace("\\", "")
    assert finding(comparison).lead in text and f"- {finding(comparison).lines[0]}" in text


def test_no_line_speaks_of_a_difference_that_its_test_does_not_support(many_arms: Comparison) -> None:
    unsure: dict[tuple[str, str], Difference] = {
        place: replace(one, p_adjusted=0.06) for place, one in many_arms.differences.items()
    }
    lines = finding(replace(many_arms, differences=unsure)).lines[:-1]
    assert all(line.endswith("shows no difference to default beyond noise (n 48).") for line in lines)
