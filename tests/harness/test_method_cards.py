import pytest

from harness.card_text import card_text
from harness.listing import WIDEST, listing
from methods.cards import card
from methods.registry import METHODS
from tests.harness.fakes import FakeModel

CARD = {
    "paper": "A paper, arXiv 0000.00000",
    "fidelity": "adapted",
    "deviations": ["The first one is long enough to be wrapped.", "The second."],
    "needs": ["activations", "base checkpoint"],
    "is_seeded": True,
    "settings": [
        {
            "name": "strength",
            "default": 0.5,
            "unit": "residual norms",
            "allowed": "at least 0",
            "meaning": "How much is added.",
            "source": "equation 3",
            "search": "0.1 to 1",
        },
        {
            "name": "text",
            "default": "",
            "unit": "",
            "allowed": "any value",
            "meaning": "What is said.",
            "source": "our choice",
            "search": "",
        },
    ],
}


def test_a_card_reads_section_by_section() -> None:
    assert card_text(CARD, 44).splitlines() == [
        "  paper       A paper, arXiv 0000.00000",
        "  fidelity    adapted",
        "  deviations  The first one is long enough",
        "                to be wrapped.",
        "              The second.",
        "  needs       activations, base checkpoint",
        "  seeds       its fit depends on the seed",
        "",
        "  settings",
        "    strength = 0.5 (residual norms, at least",
        "        0)",
        "        How much is added. Source: equation",
        "        3. Tuning tries: 0.1 to 1.",
        '    text = "" (any value)',
        "        What is said. Source: our choice.",
    ]


def test_what_a_method_has_none_of_is_left_out_or_said_plainly() -> None:
    bare = {**CARD, "deviations": [], "needs": [], "settings": [], "is_seeded": False}
    lines = card_text(bare, 80).splitlines()
    assert not any("deviations" in line or "settings" in line for line in lines)
    assert "  needs       nothing but replies" in lines
    assert "  seeds       its fit is the same for every seed" in lines


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("width", [60, 100])
def test_every_built_in_card_keeps_to_its_width(name: str, width: int) -> None:
    text = card_text(card(METHODS[name]), width)
    assert max(map(len, text.splitlines())) <= width


def test_the_listing_follows_the_terminal_up_to_a_readable_width(
    monkeypatch: pytest.MonkeyPatch, model: FakeModel
) -> None:
    del model
    widths = []
    for columns in (60, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        cards = [line for line in listing("methods", verbose=True).splitlines() if line.startswith("  ")]
        widths.append(max(map(len, cards)))
    assert widths[0] <= 60 < widths[1] <= WIDEST


def test_what_comes_from_outside_and_is_broken_is_one_line_of_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.plugins import Available
    from methods import registry

    broken = Available(
        {"default": METHODS["default"]}, ("Method 'x' of package 'y 1' cannot be used: it lacks 'fit'.",)
    )
    monkeypatch.setattr(registry, "available", lambda: broken)
    assert listing("methods", verbose=False).splitlines() == [
        "default  No method: the chat model as published.",
        "warning: Method 'x' of package 'y 1' cannot be used: it lacks 'fit'.",
    ]
