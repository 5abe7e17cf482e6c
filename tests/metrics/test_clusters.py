import numpy as np
import pytest
from scipy.stats import t

from metrics.base import Z
from metrics.clusters import least, p_value, spread


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_say_no_less_than_their_own_t_beyond_five_percent_and_what_is_above_stays(seeds: int) -> None:
    assert least(Z, seeds) == pytest.approx(0.05)
    assert least(0.0, seeds) < 1 and least(8.0, seeds) == pytest.approx(
        0.05 * t.sf(8.0, seeds - 1) / t.sf(Z, seeds - 1)
    )
    together = np.stack([np.random.default_rng(0).normal(0.5, 0.05, 2001)] * (seeds + 1))
    together[:, 0] = 0.5
    assert p_value(together, 100) == pytest.approx(least(0.5 / spread(together, 100).error, seeds))
    together += 0.11 - 0.5  # about two standard errors from 0
    found = spread(together, 100)
    plain = 2 * t.sf(0.11 / found.error, found.freedom)
    assert (p_value(together, 100) < 0.05) == (plain < 0.05)
