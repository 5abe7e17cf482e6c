"""Where to look next: Optuna's tree-structured Parzen estimator, asked anew for every trial.

What it proposes is a function of the seed, the number of the trial and the trials before it, and of nothing that lives
in memory alone. So a study that was interrupted goes on as if it had not been, and the records of its trials are the
whole of its state: no database has to survive a kill.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.tuning.space import Space, is_whole
from methods.settings import Range, Setting

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

SIGNIFICANT_DIGITS = 3
"""Of real numbers, so that chosen settings can be read and typed."""


class Tried(NamedTuple):
    """A point of a trial that is over, and what it was worth; None if the trial failed."""

    point: Mapping[str, Any]
    value: float | None


def suggest(space: Space, history: Sequence[Tried], seed: int, number: int) -> dict[str, Any] | None:
    """The next point to try, larger values being better; None if the space is finite and all of it was tried.

    Points outside of the space, as defaults may be, teach the search nothing.
    """
    from optuna.samplers import RandomSampler, TPESampler

    known = [tried for tried in history if space.holds(tried.point)]
    points = [dict(tried.point) for tried in known]
    if len(points) >= space.size:
        return None
    chance = random.Random(f"{seed} {number}")
    proposed = _ask(space, known, TPESampler(seed=chance.getrandbits(32)))
    while proposed in points and space.size < math.inf:
        proposed = _ask(space, known, RandomSampler(seed=chance.getrandbits(32)))
    return proposed


def _ask(space: Space, known: Sequence[Tried], sampler: "BaseSampler") -> dict[str, Any]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {setting.name: _distribution(setting) for setting in space.settings}
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point, value in known:
        # A failed trial counts as pruned: the estimator ranks it below all others, and would ignore a failure.
        state = optuna.trial.TrialState.PRUNED if value is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(state=state, value=value, params=dict(point), distributions=distributions)
        )
    asked = study.ask(distributions).params
    return {setting.name: _rounded(setting, asked[setting.name]) for setting in space.settings}


def _distribution(setting: Setting) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(setting.search, Range):
        return CategoricalDistribution(setting.search or ())
    low, high = setting.search.low, setting.search.high
    if is_whole(setting):
        return IntDistribution(math.ceil(low), int(high), log=setting.search.log)
    return FloatDistribution(low, high, log=setting.search.log)


def _rounded(setting: Setting, value: Any) -> Any:  # noqa: ANN401 - of any setting
    if not isinstance(setting.search, Range) or is_whole(setting):
        return value
    return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), setting.search.low), setting.search.high)
