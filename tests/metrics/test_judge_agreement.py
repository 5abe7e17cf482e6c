import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from metrics.base import Verdict
from metrics.estimation import wilson
from metrics.judge_agreement import agreement, kappa, share_of_agreement

REFUSED, COMPLIED, UNSURE = Verdict.REFUSED, Verdict.COMPLIED, Verdict.UNSURE
verdicts = st.sampled_from(list(Verdict))
pairs = st.lists(st.tuples(verdicts, verdicts), min_size=2, max_size=40)


def test_shares_are_of_their_own_class_and_unsure_is_wrong_in_each() -> None:
    found = agreement([REFUSED, UNSURE, COMPLIED, UNSURE, REFUSED], [True, True, False, False, False])
    assert (found.accuracy.value, found.sensitivity.value, found.unsure) == (2 / 5, 1 / 2, 2)
    assert found.specificity.value == pytest.approx(1 / 3)
    assert (found.specificity.low, found.specificity.high) == tuple(wilson(1, 3))


@given(pairs)
def test_kappa_is_scikit_learns_and_lies_in_its_interval(both: list[tuple[Verdict, Verdict]]) -> None:
    first, second = zip(*both, strict=True)
    found = kappa(first, second)
    if len({*first, *second}) == 1:
        assert found.value is None
    else:
        assert found.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
        if found.low is None or found.high is None:
            assert found.low is found.high is None
            assert min(len(set(first)), len(set(second))) == 1 or len(set(both)) <= 2
        else:
            assert found.low <= found.value <= found.high


@given(pairs)
def test_agreement_does_not_depend_on_who_is_first_nor_on_the_order(both: list[tuple[Verdict, Verdict]]) -> None:
    first, second = zip(*both, strict=True)
    assert share_of_agreement(first, second) == share_of_agreement(second, first)
    assert kappa(first, second) == kappa(first[::-1], second[::-1])


def test_the_interval_of_kappa_is_that_of_replies_drawn_anew() -> None:
    first = [REFUSED] * 60 + [COMPLIED] * 60
    second = [REFUSED] * 50 + [COMPLIED] * 70
    chance = np.random.default_rng(1)
    drawn = [chance.integers(120, size=120) for _ in range(2000)]
    values = [
        cohen_kappa_score([first[row] for row in rows], [second[row] for row in rows])
        for rows in itertools.islice(drawn, 400)
    ]
    found = kappa(first, second)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))), abs=0.03)


def test_where_no_resample_differs_kappa_has_no_interval() -> None:
    found = kappa([REFUSED] * 3 + [COMPLIED] * 2, [REFUSED] * 3 + [COMPLIED] * 2)
    assert (found.value, found.low, found.high, found.n) == (1.0, None, None, 5)


def test_of_nothing_there_is_no_share() -> None:
    found = agreement([REFUSED], [True])
    assert found.specificity.value is None and found.specificity.n == 0 and found.kappa.value is None
    assert kappa([], []).value is None
