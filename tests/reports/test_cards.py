from dataclasses import replace

from benchmarks.base import Json
from reports.base import Comparison
from reports.cards import UNTUNED, cards, tuned
from reports.facts import Fact
from reports.flagged import Flagged
from reports.html import render as page
from reports.markdown import render as markdown

TUNING = {"objective": "su_f1", "dev_prompts": 240, "data": "embedded", "trials": 20}


def test_tuning_is_told_in_one_line() -> None:
    line = "tuned for su_f1 on 240 dev prompts of 'embedded', 20 trials"
    assert tuned({**TUNING, "forward_equivalents": 1234.4}) == f"{line}, 1,234 forward equivalents"
    assert tuned(TUNING) == line
    assert tuned({}) == UNTUNED == "not tuned: settings as given"


def test_every_method_has_one_card_with_all_of_its_arms(many_arms: Comparison) -> None:
    found = cards(many_arms)
    assert [card.name for card in found] == list(dict.fromkeys(arm.method for arm in many_arms.arms))
    arms = [arm.name for card in found for arm in card.arms]
    assert sorted(arms) == sorted(arm.name for arm in many_arms.arms)


def test_settings_that_differ_from_their_defaults_are_told_with_both_values(many_arms: Comparison) -> None:
    neurontune = next(card for card in cards(many_arms) if card.name == "neurontune")
    by_name = {arm.name: arm for arm in neurontune.arms}
    assert by_name["neurontune-safety_neurons-10"].changes == (Fact("safety_neurons", "10.0 (default 50.0)"),)
    assert by_name["neurontune-safety_neurons-50"].changes == ()
    assert by_name["neurontune-safety_neurons-50"].keeps_defaults
    assert not by_name["random-neurons"].keeps_defaults


def test_a_setting_tells_which_arms_have_another_value(many_arms: Comparison) -> None:
    dinm = next(card for card in cards(many_arms) if card.name == "dinm")
    fraction, rate = dinm.settings
    assert (fraction.name, fraction.default, fraction.unit, fraction.allowed) == (
        "edit_fraction",
        "0.3",
        "per step",
        "at least 0",
    )
    assert "1.0 in dinm-edit_fraction-1, dinm-rate-0.0003, dinm-rate-0.003, dinm-rate-0.01" in fraction.values.split(
        "; "
    )
    assert rate.values == "0.0003 in dinm-rate-0.0003; 0.003 in dinm-rate-0.003; 0.01 in dinm-rate-0.01"


def test_a_value_that_all_arms_share_stands_alone(comparison: Comparison) -> None:
    neurontune = cards(comparison)[1]
    assert [setting.values for setting in neurontune.settings] == ["", '{"first": 1, "last": 5}']


def test_a_run_without_cards_still_tells_its_settings(comparison: Comparison) -> None:
    old = replace(comparison, arms=tuple(replace(arm, card={}, tuning={}) for arm in comparison.arms))
    neurontune = cards(old)[1]
    assert [(setting.name, setting.values, setting.meaning) for setting in neurontune.settings] == [
        ("rate", "0.001", ""),
        ("layers", '{"first": 1, "last": 5}', ""),
    ]
    assert (neurontune.needs, neurontune.arms[0].changes, neurontune.arms[0].keeps_defaults) == ("", (), False)


def test_an_arm_with_nothing_to_set_is_not_called_untuned(comparison: Comparison) -> None:
    bare = replace(comparison.arms[0], settings={}, card={"needs": []})
    card = cards(replace(comparison, arms=(bare,)))[0]
    assert card.arms[0].tuning == ""
    assert card.needs == "nothing but replies"


def seed(benign: float) -> dict[str, Json]:
    return {
        "flagged_share_of_malicious_dev_questions": {"Plans": 1.0},
        "flagged_share_of_benign_dev_questions": {"Recipes": benign},
    }


def detected(comparison: Comparison) -> Comparison:
    """With a second arm that is a detector of two seeds."""
    first, second, *others = comparison.arms
    told = replace(second, diagnostics={"seed-0": seed(0.125), "seed-1": {"layer": 3, **seed(0.25)}})
    return replace(comparison, arms=(first, told, *others))


def test_what_a_detector_flags_is_told_by_source_as_the_mean_over_seeds(comparison: Comparison) -> None:
    name = comparison.arms[1].name
    found = [row for card in cards(detected(comparison)) for row in card.flagged]
    assert found == [Flagged(name, "harmful", "Plans", "100.0"), Flagged(name, "benign", "Recipes", "18.8")]
    assert not [card for card in cards(comparison) if card.flagged]


def test_flagged_shares_stand_in_the_report(comparison: Comparison) -> None:
    name = comparison.arms[1].name
    shown = page(detected(comparison))
    assert f'<tr><th scope="row">{name}</th><td>benign</td><td>Recipes</td><td>18.8</td></tr>' in shown
    assert f"- flagged by **{name}**: 18.8 % of benign dev questions of Recipes" in markdown(detected(comparison))
    assert "Flagged, %" not in page(comparison)
