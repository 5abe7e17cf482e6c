from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.base import Choices, Intent, Message, Prompt, Reply, Split
from metrics.base import Exchange, Judgement, Verdict

Build = Callable[..., Exchange]


@pytest.fixture
def exchange() -> Build:
    """Builds an exchange around a reply text."""

    def build(
        text: str = "",
        *,
        verdict: Verdict | None = None,
        intent: Intent = Intent.HARMFUL,
        surprise: float | None = None,
        choices: Choices | None = None,
        option_log_probabilities: tuple[float, ...] | None = None,
    ) -> Exchange:
        prompt = Prompt("p", (Message("user", "q"),), intent, "q", "q", "test", Split.TEST)
        return Exchange(
            replace(prompt, choices=choices),
            Reply("p", text, option_log_probabilities=option_log_probabilities),
            Judgement(verdict, "because") if verdict else None,
            surprise,
        )

    return build
